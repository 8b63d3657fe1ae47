"""Intervals agree with published examples, and hold at the edges."""

import pytest

from feedback_pipeline.evaluation.intervals import PairedDifference, Share


def test_wilson_agrees_with_the_published_example() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I: 81 of 263.
    low, high = Share(81, 263).interval or (0, 0)

    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_the_paired_difference_agrees_with_the_published_example() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), 2635-2650: 36, 12, 2, 0 by method 10.
    low, high = PairedDifference(36, 12, 2, 0).interval or (0, 0)

    assert (round(low, 4), round(high, 4)) == (0.0569, 0.3404)


def test_pairs_are_counted_question_by_question() -> None:
    found = PairedDifference.of([True, True, False, False, True], [True, False, True, False, False])

    assert (found.both, found.only_new, found.only_old, found.neither, found.value) == (1, 2, 1, 1, 0.2)


def test_of_nothing_there_is_no_share_and_no_interval() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)
    assert (PairedDifference(0, 0, 0, 0).value, PairedDifference(0, 0, 0, 0).interval) == (None, None)


def test_equal_measurements_differ_by_nothing_with_room_for_chance() -> None:
    low, high = PairedDifference(50, 0, 0, 0).interval or (1, -1)

    assert low < 0 < high


@pytest.mark.parametrize(
    ("lost", "gained", "chance"), [(0, 5, 1.0), (5, 0, 1 / 32), (1, 1, 0.75), (7, 0, 1 / 128), (0, 0, 1.0)]
)
def test_a_loss_is_as_likely_by_chance_as_a_fair_coin_says(lost: int, gained: int, chance: float) -> None:
    assert PairedDifference(10, gained, lost, 10).chance_of_loss == pytest.approx(chance)
