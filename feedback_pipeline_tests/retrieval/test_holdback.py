"""Which example a question goes without: the share is right, all have the same chance, nothing else changes."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.retrieval import Example
from feedback_pipeline.retrieval.holdback import HIGHEST_RATE, hold_back
from feedback_pipeline.settings import Settings

SEEDS = [str(number) for number in range(20_000)]


def example(rank: int, name: str | None = None) -> Example:
    return Example(name or f"e{rank}", "f1", ("f1",), "shop", "question", "SELECT 1", None, 0.5, rank, "import")


THREE = [example(1), example(2), example(3)]
PINNED = [["e1"], ["e1"], [], [], [], [], ["e2"], []]
"""What seeds 0 to 7 go without at a rate of one half: who asks again after an update is treated the same."""


def test_a_rate_of_0_withholds_nothing():
    assert all(hold_back(THREE, rate=0, seed=seed).given == tuple(THREE) for seed in SEEDS)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_the_rate_is_the_share_of_retrievals_that_go_without_one(rate: float):
    withheld = sum(len(hold_back(THREE, rate=rate, seed=seed).withheld) for seed in SEEDS)

    assert abs(withheld / len(SEEDS) - rate) < 4 * math.sqrt(rate * (1 - rate) / len(SEEDS))


def test_every_example_is_withheld_equally_often():
    withheld = Counter(one.rank for seed in SEEDS for one in hold_back(THREE, rate=0.5, seed=seed).withheld)

    expected = withheld.total() / 3
    # 13.8 is exceeded by chance once in a thousand times, with 2 degrees of freedom.
    assert sum((count - expected) ** 2 / expected for count in withheld.values()) < 13.8


@given(
    ranks=st.lists(st.integers(1, 20), max_size=20, unique=True).map(sorted),
    rate=st.floats(0, HIGHEST_RATE),
    seed=st.text(),
)
def test_what_is_given_and_withheld_together_is_what_was_found_in_its_order(ranks: list[int], rate: float, seed: str):
    found = [example(rank) for rank in ranks]

    held = hold_back(found, rate=rate, seed=seed)

    assert len(held.withheld) <= 1
    assert sorted((*held.given, *held.withheld), key=lambda one: one.rank) == found
    assert list(held.given) == [one for one in found if one not in held.withheld]


def test_the_same_seed_decides_the_same_whatever_the_order_and_the_state_of_chance():
    shuffled = [THREE[2], THREE[0], THREE[1]]
    for seed in SEEDS[:200]:
        first = hold_back(THREE, rate=0.5, seed=seed).withheld
        random.seed(seed)
        assert hold_back(THREE, rate=0.5, seed=seed).withheld == first
        assert hold_back(shuffled, rate=0.5, seed=seed).withheld == first


def test_decisions_do_not_change_between_releases():
    withheld = [[one.example_id for one in hold_back(THREE, rate=0.5, seed=seed).withheld] for seed in SEEDS[:8]]

    assert withheld == PINNED


def test_a_higher_rate_withholds_what_a_lower_one_did_and_more():
    for seed in SEEDS[:500]:
        low, high = (hold_back(THREE, rate=rate, seed=seed).withheld for rate in (0.1, 0.4))
        assert not low or low == high


def test_who_asks_again_with_more_examples_is_not_given_what_was_withheld():
    for seed in SEEDS[:500]:
        before = hold_back(THREE, rate=0.5, seed=seed).withheld
        after = hold_back([*THREE, example(4)], rate=0.5, seed=seed).withheld
        assert bool(before) == bool(after)
        assert after in (before, (example(4),))


@pytest.mark.parametrize("rate", [-0.1, 0.51, 1, math.nan])
def test_other_rates_are_refused(rate: float):
    with pytest.raises(ValueError, match=r"between 0 and 0\.5"):
        hold_back(THREE, rate=rate, seed="1")
    with pytest.raises(ValueError, match="holdback_rate"):
        Settings(holdback_rate=rate)


def test_nothing_is_withheld_unless_asked_for():
    assert Settings.model_fields["holdback_rate"].default == 0
