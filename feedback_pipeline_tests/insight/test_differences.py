"""The interval of a difference: the examples of its source, and how often it holds the truth."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.insight.differences import Stratum, difference, wilson


@pytest.mark.parametrize(
    ("stratum", "low", "high"),
    [
        (Stratum(70, 56, 80, 48), 0.0524, 0.3339),
        (Stratum(10, 9, 10, 3), 0.1705, 0.8090),
        (Stratum(10, 10, 10, 0), 0.6075, 1.0),
        (Stratum(56, 0, 29, 0), -0.1170, 0.0642),
    ],
)
def test_one_stratum_gives_the_intervals_of_newcombe(stratum: Stratum, low: float, high: float) -> None:
    found = difference([stratum], 0.95)

    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilsons_interval_is_that_of_the_statistics_library() -> None:
    from scipy.stats import binomtest

    expected = binomtest(7, 31).proportion_ci(0.95, method="wilson")

    assert wilson(7 / 31, 31, 1.959963984540054) == pytest.approx((expected.low, expected.high))


def test_strata_are_compared_within_themselves() -> None:
    # With few examples found, answers are worse and withholding is likelier: together that looks like a lift of 0.4.
    strata = [Stratum(10, 2, 90, 18), Stratum(90, 72, 10, 8)]
    together = Stratum(*(sum(column) for column in zip(*strata, strict=True)))

    apart, mixed = difference(strata, 0.95), difference([together], 0.95)

    assert apart is not None
    assert mixed is not None
    assert apart.estimate == pytest.approx(0)
    assert mixed.low > 0.3


def test_a_stratum_with_one_group_alone_says_nothing() -> None:
    both = Stratum(20, 15, 20, 5)

    assert difference([both, Stratum(1_000, 1, 0, 0)], 0.95) == difference([both], 0.95)
    assert difference([Stratum(1_000, 1, 0, 0)], 0.95) is None
    assert difference([], 0.95) is None


_counts = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (max(pair), min(pair)))


@given(st.lists(st.tuples(_counts, _counts).map(lambda two: Stratum(*two[0], *two[1])), max_size=5))
def test_the_estimate_lies_in_its_interval_and_that_between_minus_1_and_1(strata: list[Stratum]) -> None:
    found, surer = difference(strata, 0.95), difference(strata, 0.99)

    if found is not None and surer is not None:
        assert -1 <= surer.low <= found.low <= found.estimate + 1e-12
        assert found.estimate - 1e-12 <= found.high <= surer.high <= 1


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(level: float) -> None:
    chance, conditions, rounds = random.Random(7), ((60, 8, 0.7, 0.8), (40, 10, 0.5, 0.6), (30, 4, 0.9, 1.0)), 2_000

    def draw(n: int, share: float) -> int:
        return sum(chance.random() < share for _ in range(n))

    held = 0
    for _ in range(rounds):
        found = difference([Stratum(n1, draw(n1, p1), n2, draw(n2, p2)) for n1, n2, p1, p2 in conditions], level)
        held += found is not None and found.low <= -0.1 <= found.high

    # Four standard deviations below what it says.
    assert held / rounds > level - 4 * (level * (1 - level) / rounds) ** 0.5
