"""The gate: only what is surely better goes live."""

from dataclasses import replace

import numpy as np
import pytest

from feedback_pipeline.reranker.comparison.held_out import JudgedList
from feedback_pipeline.reranker.evaluate import Figures, gain
from feedback_pipeline.reranker.gate import Decision, GatePolicy, Opponent, choose, decide
from feedback_pipeline_tests.reranker.judged import judged, right_in

POLICY = GatePolicy(min_held_out=30, min_users=3)


def decided(lists: list[JudgedList], candidate: Figures, base: Figures, users: float = 20) -> Decision:
    return decide(lists, candidate, [Opponent("base", base, candidate)], users, POLICY)


def lists_of(count: int, source: str = "uk", start: int = 0) -> list[JudgedList]:
    return [judged(number, source) for number in range(start, start + count)]


def test_what_is_surely_better_goes_live() -> None:
    lists = lists_of(200)

    decision = decided(lists, right_in(0.9, lists), right_in(0.7, lists, seed=1))

    assert decision.promoted
    assert decision.reasons[0].startswith("better than base: pairwise_accuracy +20.0%")


def test_what_may_be_chance_stays_out() -> None:
    lists = lists_of(60)

    decision = decided(lists, right_in(0.75, lists), right_in(0.7, lists, seed=1))

    assert not decision.promoted
    assert decision.reasons[0].startswith("no sure gain over base")


def test_the_same_order_is_no_gain() -> None:
    lists = lists_of(100)
    figures = right_in(0.8, lists)

    decision = decided(lists, figures, figures)

    assert decision.reasons == ["no sure gain over base: pairwise_accuracy +0.0% (+0.0% to +0.0%, 100 queries)"]


def test_being_worse_on_one_source_is_enough_to_stay_out() -> None:
    uk, au = lists_of(300), lists_of(60, "au", 1_000)
    candidate = np.concatenate([right_in(0.95, uk).values, right_in(0.3, au).values])
    base = np.concatenate([right_in(0.6, uk).values, right_in(0.8, au).values])

    decision = decided([*uk, *au], Figures(candidate), Figures(base))

    assert not decision.promoted
    assert [reason.split(":")[0] for reason in decision.reasons] == ["worse than base on source au"]


def test_few_held_out_queries_decide_nothing() -> None:
    lists = lists_of(20)

    decision = decided(lists, right_in(1.0, lists), right_in(0.5, lists))

    assert not decision.promoted
    assert "are worth 20.0 of equal weight; a promotion needs 30" in decision.reasons[0]


def test_one_user_alone_promotes_nothing() -> None:
    lists = lists_of(200)

    decision = decided(lists, right_in(1.0, lists), right_in(0.6, lists), users=1)

    assert not decision.promoted
    assert decision.reasons[0].startswith("the ratings are worth those of 1.0 equally busy users")


def test_swapped_thumbs_are_noticed() -> None:
    """A model trained on swapped labels is better on swapped labels: only the base retriever tells."""
    lists = lists_of(200)

    decision = decided(lists, right_in(0.9, lists), right_in(0.25, lists, seed=1))

    assert not decision.promoted
    assert decision.reasons[0].startswith("the ratings contradict the passages")
    assert "agrees with 25% of them" in decision.reasons[0]


def test_ratings_nobody_stands_behind_do_not_count() -> None:
    lists = [replace(one, query=replace(one.query, weight=0.0)) for one in lists_of(200)]

    decision = decided(lists, right_in(1.0, lists), right_in(0.5, lists))

    assert not decision.promoted


def test_two_heavy_queries_among_many_light_ones_are_two() -> None:
    lists = [
        replace(one, query=replace(one.query, weight=1.0 if n < 2 else 0.01)) for n, one in enumerate(lists_of(200))
    ]

    decision = decided(lists, right_in(1.0, lists), right_in(0.5, lists))

    assert not decision.promoted
    assert "a promotion needs 30" in decision.reasons[0]


def test_a_model_that_has_to_go_is_replaced_by_its_equal() -> None:
    lists = lists_of(200)
    figures, base = right_in(0.9, lists), right_in(0.7, lists, seed=1)
    against = [Opponent("base", base, figures), Opponent("production", figures, figures, is_to_go=True)]

    decision = decide(lists, figures, against, 20, POLICY)

    assert decision.promoted
    assert decision.reasons[1].startswith("not worse than production, whose dataset was revoked")


def test_near_duplicate_queries_are_one_piece_of_evidence() -> None:
    lists = lists_of(100)
    same = [replace(one, query=replace(one.query, cluster_id="same")) for one in lists]
    new, old = right_in(1.0, lists).of("pairwise_accuracy"), right_in(0.5, lists).of("pairwise_accuracy")

    assert gain(new, old, lists).is_sure
    assert not gain(new, old, same).is_sure


def test_the_same_figures_give_the_same_interval() -> None:
    lists = lists_of(50)
    new, old = right_in(0.9, lists).of("mrr@10"), right_in(0.6, lists, 1).of("mrr@10")

    assert gain(new, old, lists) == gain(new, old, lists)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_any_held_out_query_the_gate_says_so(share: float) -> None:
    decision = decided([], right_in(share, []), right_in(share, []))

    assert not decision.promoted
    assert any("worth 0.0 of equal weight" in reason for reason in decision.reasons)


def test_the_luckiest_on_a_few_queries_is_not_chosen() -> None:
    lists = lists_of(40)
    figures = {"bi_encoder": right_in(0.85, lists), "blend": right_in(0.8, lists, seed=1)}

    assert choose(figures, lists) == "blend"


def test_what_is_surely_better_is_chosen() -> None:
    lists = lists_of(200)
    figures = {"bi_encoder": right_in(0.95, lists), "blend": right_in(0.7, lists, seed=1)}

    assert choose(figures, lists) == "bi_encoder"


def test_without_a_combination_the_best_is_chosen() -> None:
    lists = lists_of(40)
    figures = {"cross_encoder": right_in(0.7, lists), "bi_encoder": right_in(0.75, lists, seed=1)}

    assert choose(figures, lists) == "bi_encoder"


def test_of_many_sources_one_that_seems_worse_by_chance_does_not_keep_it_out() -> None:
    sources = [lists_of(12, f"source {number}", start=100 * number) for number in range(40)]
    candidate = np.concatenate([right_in(8 / 12 if n == 7 else 0.9, one, n).values for n, one in enumerate(sources)])
    base = np.concatenate([right_in(1.0 if n == 7 else 0.6, one, n + 40).values for n, one in enumerate(sources)])

    many = decided([one for part in sources for one in part], Figures(candidate), Figures(base))
    two = decided([*sources[6], *sources[7]], Figures(candidate[72:96]), Figures(base[72:96]))

    assert many.promoted
    assert any(reason.startswith("worse than base on source source 7") for reason in two.reasons)


def test_a_slice_of_one_heavy_query_decides_nothing() -> None:
    uk = lists_of(200)
    au = [judged(1_000 + number, "au", weight=1.0 if number == 0 else 0.01) for number in range(20)]
    candidate = np.concatenate([right_in(0.95, uk).values, right_in(0.0, au).values])
    base = np.concatenate([right_in(0.6, uk).values, right_in(1.0, au).values])

    decision = decided([*uk, *au], Figures(candidate), Figures(base))

    assert decision.promoted
