"""What stands for a query of the reranker's dataset, and which are left out."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.finetune.content.kind import KINDS, RERANKER, TEXT2SQL, UnknownKindError, kind_of
from feedback_pipeline.finetune.content.reranker_rows import (
    RerankerPolicy,
    dropped_interactions,
    keys_of_queries,
    made_of_queries,
    select_queries,
)
from feedback_pipeline.finetune.content.rows import fingerprints_of
from feedback_pipeline_tests.reranker.samples import POLICY, dropped, queries, query

nested = st.lists(st.lists(st.text(max_size=2), max_size=2), max_size=2)


def print_of(**changes: Any) -> bytes:
    return RERANKER.fingerprints(queries([query(1, 2, 2) | changes])).tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"query": "Another?"},
        {"source": "other"},
        {"positives": ["Rule", "1"]},
        {"positive_weights": [1.0, 0.25]},
        {"positive_ranks": [1.0, 3.5]},
        {"positive_interactions": [["10"], ["11"]]},
        {"positive_interactions": [["10", "10"], []]},
        {"negative_origins": ["rated", "rated"]},
        {"interaction_ids": ["10"]},
        {"contributors": 3},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_changes_in_a_row_changes_its_fingerprint(changes: dict[str, Any]) -> None:
    assert print_of(**changes) != print_of()


def test_a_weight_that_differs_by_less_than_a_billionth_changes_nothing() -> None:
    assert print_of(positive_weights=[0.1 + 0.2, 0.1]) == print_of(positive_weights=[0.3, 0.1])


@given(st.lists(nested, min_size=2, max_size=4))
def test_lists_of_lists_have_equal_fingerprints_only_where_they_are_equal(values: list[list[list[str]]]) -> None:
    column = pa.chunked_array([pa.array(values, pa.list_(pa.list_(pa.string())))])

    prints = [one.tobytes() for one in fingerprints_of([column])]

    for place, one in enumerate(values):
        for other_place, other in enumerate(values):
            assert (prints[place] == prints[other_place]) == (one == other)


def test_a_slice_of_a_table_has_the_fingerprints_of_its_rows() -> None:
    table = queries(query(number, number % 3, 2) for number in range(9))

    assert np.array_equal(RERANKER.fingerprints(table.slice(4, 3)), RERANKER.fingerprints(table)[4:7])


def test_a_query_is_recognised_by_its_words_on_any_source() -> None:
    rows = [query(1, query="What now?"), query(2, query="what  NOW", source="other"), query(3, query="What then?")]

    keys = keys_of_queries(queries(rows))

    assert keys.question[0] == keys.question[1] != keys.question[2]
    assert keys.row.tolist() == [1, 2, 3]
    assert not keys.skeleton.any()


def test_a_row_that_rests_on_anything_not_in_use_is_left_out() -> None:
    rows = queries([query(1), query(2)])

    selection = select_queries(rows, POLICY, in_use={"10", "11", "20"})

    assert selection.kept.tolist() == [True, False]
    assert selection.dropped.to_pylist() == [
        {
            "stage": "reranker_dataset",
            "reason": "interaction is not in use any more",
            "row_id": f"{2:016x}",
            "feedback_ids": ["20", "21"],
            "detail": None,
        }
    ]


def test_long_queries_are_left_out_where_that_is_asked_for() -> None:
    rows = queries([query(1), query(2, query="Short?")])

    selection = select_queries(rows, RerankerPolicy(10, 10, max_question_chars=10))

    assert selection.kept.tolist() == [False, True]
    assert selection.dropped["reason"].to_pylist() == ["query longer than 10 characters"]


def test_passages_left_out_earlier_are_told_once_for_each_interaction_and_reason() -> None:
    table = dropped((7, None, "no rating"), (3, 2, "tone"), (3, 1, "tone"), (3, 3, "raters disagree"))

    told = dropped_interactions(table).to_pylist()

    assert [(one["feedback_ids"], one["reason"], one["detail"]) for one in told] == [
        (["3"], "raters disagree", "1 of its passages"),
        (["3"], "tone", "2 of its passages"),
        (["7"], "no rating", None),
    ]
    assert {one["stage"] for one in told} == {"reranker_triplets"}


def test_composition_tells_sources_sides_and_labels() -> None:
    rows = queries([query(0, 1, 2), query(1, 2, 0), query(3, 0, 1)])

    balance = made_of_queries(rows).balance

    assert balance["by_source"] == {"source 0": 2, "source 1": 1}
    assert balance["by_sides"] == {"both": 1, "helpful only": 1, "not helpful only": 1}
    assert balance["by_label"] == {"helpful": 3, "not helpful, rated": 2, "not helpful, surfaced": 1}


def test_a_manifest_that_says_nothing_is_of_sql_and_an_unknown_kind_is_named() -> None:
    assert kind_of({}) is TEXT2SQL
    assert kind_of({"kind": "reranker"}) is RERANKER
    assert [kind.configs[0].name for kind in KINDS.values()] == ["default", "default"]
    with pytest.raises(UnknownKindError, match=r"'songs'.*install a later one"):
        kind_of({"kind": "songs", "name": "charts", "version": 2})
