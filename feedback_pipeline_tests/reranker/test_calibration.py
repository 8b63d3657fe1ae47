"""The calibrated combination: which pairs it is learned from, which signs it may have, what it is built on."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from feedback_pipeline.reranker.candidates.blend import combined, cross_fitted_accuracy, fit, scores_of
from feedback_pipeline.reranker.candidates.pairs import Pairs, pairs_of
from feedback_pipeline.reranker.rated_queries import RatedQuery
from feedback_pipeline.reranker.scoring import PartSpec
from feedback_pipeline.reranker.scoring.vectors import cosines
from feedback_pipeline_tests.reranker.judged import rated

COSINE, BM25, LENGTH = PartSpec("base_cosine", "base"), PartSpec("bm25", "bm25"), PartSpec("length", "length")
BI, CROSS = PartSpec("bi_encoder", "bi_encoder"), PartSpec("cross_encoder", "cross_encoder")


def weighed(number: int, good: Sequence[float], bad: Sequence[float]) -> RatedQuery:
    one = rated(number, positives=len(good), negatives=len(bad), weight=min(max(good), max(bad)))
    return replace(one, positive_weights=tuple(good), negative_weights=tuple(bad))


def passages_of(pairs: Pairs) -> list[tuple[str, str]]:
    return [(pairs.texts[good][1], pairs.texts[bad][1]) for good, bad in zip(pairs.good, pairs.bad, strict=True)]


def noisy(pairs: Pairs, signal: float, seed: int) -> np.ndarray:
    """Scores that tell good from bad passages as well as the signal is strong."""
    is_good = np.array([passage.startswith("good") for _, passage in pairs.texts])
    return signal * is_good + np.random.default_rng(seed).normal(size=len(is_good))


def test_the_heaviest_pairs_of_a_query_are_taken() -> None:
    generator = np.random.default_rng(5)
    good, bad = (np.round(generator.uniform(0.1, 1, count), 1) for count in (9, 30))
    one = weighed(1, good.tolist(), bad.tolist())
    of_good, of_bad = dict(zip(one.positives, good, strict=True)), dict(zip(one.negatives, bad, strict=True))

    pairs = pairs_of([one], most=12)

    taken = [min(of_good[up], of_bad[down]) for up, down in passages_of(pairs)]
    heaviest = sorted((min(up, down) for up in good for down in bad), reverse=True)
    assert taken == heaviest[:12]
    assert len(set(passages_of(pairs))) == 12


def test_of_equal_pairs_those_of_many_passages_are_taken() -> None:
    pairs = pairs_of([rated(1, positives=50, negatives=100)], most=16)

    assert len(pairs) == 16
    assert len({up for up, _ in passages_of(pairs)}) >= 5
    assert len({down for _, down in passages_of(pairs)}) >= 5


def test_a_query_weighs_what_its_ratings_weigh_however_many_passages_it_has() -> None:
    popular, others = rated(0, positives=50, negatives=100, weight=0.75), [rated(number) for number in range(1, 9)]

    pairs = pairs_of([popular, *others, weighed(9, [1.0, 0.5], [0.25])])

    assert pairs.weights[pairs.clusters == 0].sum() == pytest.approx(0.75)
    assert [pairs.weights[pairs.clusters == number].sum() for number in range(1, 10)] == [*[1.0] * 8, 0.25]


def test_many_passages_make_few_pairs_and_each_text_stands_once() -> None:
    asked = [rated(number, positives=20, negatives=30) for number in range(1_500)]

    tracemalloc.start()
    pairs = pairs_of(asked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(pairs) == 16 * 1_500
    assert len(set(pairs.texts)) == len(pairs.texts) < 12 * 1_500
    assert peak < 50_000_000


def test_pairs_are_the_same_each_time_and_in_the_order_of_their_queries() -> None:
    asked = [rated(number, positives=3, negatives=7) for number in range(5)]

    first, again = pairs_of(asked, most=4), pairs_of(asked, most=4)

    assert first.texts == again.texts
    assert first.good.tolist() == again.good.tolist()
    assert first.clusters.tolist() == sorted(first.clusters.tolist())


def test_queries_with_passages_of_one_kind_make_no_pairs() -> None:
    pairs = pairs_of([rated(1, negatives=0), rated(2, positives=0)])

    assert len(pairs) == 0
    assert pairs.texts == []


def test_each_text_is_scored_once() -> None:
    class Counting:
        asked: list[tuple[str, str]]

        def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
            self.asked = list(pairs)
            return np.zeros(len(pairs), np.float32)

    part, pairs = Counting(), pairs_of([rated(1, positives=3, negatives=4)])

    scores = scores_of({CROSS: part}, pairs)

    assert len(part.asked) == len(set(part.asked)) == 7
    assert scores[CROSS].shape == (7,)


def test_cosines_of_many_pairs_take_no_more_memory_than_their_texts() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 384)).astype(np.float32)
    pairs = [(str(number % 50), str(number % 49)) for number in range(100_000)]

    tracemalloc.start()
    found = cosines(pairs, lambda texts: vectors[[int(text) for text in texts]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    expected = [float(vectors[int(first)] @ vectors[int(second)]) for first, second in pairs[::9_999]]
    np.testing.assert_allclose(found[::9_999], expected, rtol=1e-4, atol=1e-4)
    # All vectors of both sides would be 300 MB.
    assert peak < 40_000_000


def test_what_helps_has_its_weight_and_what_harms_is_left_out() -> None:
    pairs = pairs_of([rated(number) for number in range(200)])
    scores = {COSINE: noisy(pairs, 1.0, 1), BM25: noisy(pairs, -1.0, 2), LENGTH: noisy(pairs, -0.5, 3)}

    weights = {one.folder: one.coefficient for one in fit(scores, pairs)}

    assert weights["base"] > 0
    assert weights["length"] < 0
    assert "bm25" not in weights


def test_a_light_sum_that_contradicts_validation_is_dropped_and_not_turned_round() -> None:
    pairs = pairs_of([rated(number) for number in range(200)])
    light = [replace(COSINE, coefficient=0.8), replace(BM25, coefficient=0.5)]
    contrary = {COSINE: noisy(pairs, -1.0, 1), BM25: noisy(pairs, -1.0, 2)}

    parts = combined(light, contrary, {BI: noisy(pairs, 2.0, 3)}, pairs)

    assert [part.folder for part in parts] == ["bi_encoder"]
    assert parts[0].coefficient > 0


def test_a_trained_part_that_does_not_help_is_left_out() -> None:
    pairs = pairs_of([rated(number) for number in range(200)])
    light = [replace(COSINE, coefficient=0.8)]

    parts = combined(light, {COSINE: noisy(pairs, 1.0, 1)}, {BI: noisy(pairs, -2.0, 3)}, pairs)

    assert parts == light


def test_few_pairs_give_a_trained_part_no_place() -> None:
    pairs = pairs_of([rated(number) for number in range(19)])
    light = [replace(COSINE, coefficient=0.8)]

    assert combined(light, {COSINE: noisy(pairs, 1.0, 1)}, {BI: noisy(pairs, 5.0, 3)}, pairs) == light


@pytest.mark.parametrize(("signals", "taken"), [((0.5, 3.0), "cross_encoder"), ((3.0, 0.5), "bi_encoder")])
def test_the_combination_is_built_on_the_part_that_orders_best(signals: tuple[float, float], taken: str) -> None:
    pairs = pairs_of([rated(number) for number in range(150)])
    light = [replace(COSINE, coefficient=0.8)]
    trained = {BI: noisy(pairs, signals[0], 3), CROSS: noisy(pairs, signals[1], 4)}

    parts = combined(light, {COSINE: noisy(pairs, 0.5, 1)}, trained, pairs)

    assert [part.folder for part in parts] == ["base", taken]


@pytest.mark.parametrize(("first", "second"), [(BI, CROSS), (CROSS, BI)])
def test_of_parts_that_are_as_good_the_one_named_first_is_taken(first: PartSpec, second: PartSpec) -> None:
    pairs = pairs_of([rated(number) for number in range(150)])
    told = noisy(pairs, 1.0, 3)
    light, light_scores = [replace(COSINE, coefficient=0.8)], {COSINE: noisy(pairs, 0.5, 1)}

    parts = combined(light, light_scores, {first: told, second: 3 * told + 1}, pairs)

    assert parts[-1].folder == first.folder


def test_what_is_learned_by_heart_gains_nothing_in_cross_fitting() -> None:
    pairs = pairs_of([rated(number) for number in range(40)])
    # As many columns as half the pairs fit any labels.
    noise = {PartSpec("length", f"noise {place}"): noisy(pairs, 0.0, place) for place in range(20)}

    fitted, honest = fit(noise, pairs), cross_fitted_accuracy(noise, pairs)

    total = np.sum([one.coefficient * noise[replace(one, mean=0, scale=1, coefficient=1)] for one in fitted], axis=0)
    assert (total[pairs.good] > total[pairs.bad]).mean() > 0.8
    assert honest < 0.7


def test_near_duplicates_are_judged_together() -> None:
    asked = [replace(rated(number), cluster_id="the same") for number in range(40)]
    pairs = pairs_of(asked)

    assert cross_fitted_accuracy({COSINE: noisy(pairs, 9.0, 1)}, pairs) == 0.5
