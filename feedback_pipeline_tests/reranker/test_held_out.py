"""Which passages of a held-out query make pairs, and when the order they were surfaced in can be judged by them."""

from dataclasses import replace

import numpy as np

from feedback_pipeline.reranker.comparison.held_out import JudgedList, judged_lists
from feedback_pipeline.reranker.evaluate import figures_as_surfaced, scope_is_the_top
from feedback_pipeline.reranker.rated_queries import RatedQuery
from feedback_pipeline_tests.reranker.judged import rated


def encode(texts: list[str]) -> np.ndarray:
    return np.ones((len(texts), 4), np.float32) / 2


def list_of(query: RatedQuery) -> JudgedList:
    (only,) = judged_lists([query], [query], encode)
    return only


def beside(number: int, *, good_at: float, others_at: tuple[float, ...]) -> RatedQuery:
    """A thumb up for one passage, with others surfaced beside it at these places."""
    count = len(others_at)
    return replace(
        rated(number, negatives=count),
        positive_ranks=(good_at,),
        negative_ranks=others_at,
        negative_origins=("surfaced",) * count,
    )


def test_what_users_rated_down_decides_alone() -> None:
    query = replace(rated(1, negatives=3), negative_origins=("surfaced", "rated", "surfaced"))

    found = list_of(query)

    assert found.is_rated_down
    assert [text for text, told in zip(found.passages, found.judged, strict=True) if told] == ["good 1 0", "bad 1 1"]


def test_where_nobody_rated_down_what_was_surfaced_beside_has_to_do() -> None:
    found = list_of(beside(1, good_at=1, others_at=(2, 3)))

    assert not found.is_rated_down
    assert found.judged.tolist() == [True, True, True]


def test_an_order_that_put_passages_into_scope_is_not_judged_by_it() -> None:
    lists = [list_of(beside(number, good_at=1, others_at=(2, 3))) for number in range(20)]
    lists.append(list_of(rated(20)))

    figures = figures_as_surfaced(lists)

    assert scope_is_the_top(lists)
    assert np.isnan(figures.values[:20]).all()
    assert not np.isnan(figures.of("pairwise_accuracy")[20])


def test_passages_that_an_answer_cites_judge_the_order_they_came_in() -> None:
    lists = [
        list_of(beside(number, good_at=2 if number % 3 else 1, others_at=(3, 1 if number % 3 else 2)))
        for number in range(21)
    ]

    figures = figures_as_surfaced(lists)

    assert not scope_is_the_top(lists)
    assert figures.of("pairwise_accuracy").mean() == np.float64((14 * 0.5 + 7) / 21)
