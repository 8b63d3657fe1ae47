from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.insight.plots import amounts, durations, fractions


def labels(axis) -> list[str]:
    return [label for _, label in axis.ticks]


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (0, ["0", "1", "2"]),
        (1, ["0", "1", "2"]),
        (7, ["0", "2", "4", "6", "8"]),
        (987, ["0", "200", "400", "600", "800", "1,000"]),
        (61_000, ["0", "20k", "40k", "60k", "80k"]),
    ],
)
def test_counts_have_whole_round_ticks(largest: int, expected: list[str]) -> None:
    assert labels(amounts(largest)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (4, ["0", "1 s", "2 s", "3 s", "4 s"]),
        (46, ["0", "10 s", "20 s", "30 s", "40 s", "50 s"]),
        (7_000, ["0", "30 min", "60 min", "90 min", "120 min"]),
        (90_000, ["0", "8 h", "16 h", "24 h", "32 h"]),
        (5 * 86_400, ["0", "1 d", "2 d", "3 d", "4 d", "5 d"]),
        (400 * 86_400, ["0", "100 d", "200 d", "300 d", "400 d"]),
    ],
)
def test_durations_have_ticks_of_clocks_and_calendars(seconds: float, expected: list[str]) -> None:
    assert labels(durations(seconds)) == expected


def test_a_large_share_is_shown_against_the_whole_and_a_small_one_is_not() -> None:
    assert labels(fractions(0.61)) == ["0%", "25%", "50%", "75%", "100%"]
    assert labels(fractions(0.09)) == ["0%", "2%", "4%", "6%", "8%", "10%"]
    assert labels(fractions(0)) == ["0%", "1%", "2%"]


@given(largest=st.floats(0, 1e9))
def test_every_axis_reaches_what_it_is_made_for_in_a_few_equal_steps(largest: float) -> None:
    for axis in (amounts(largest), durations(largest)):
        ticks = [at for at, _ in axis.ticks]
        steps = {round(b - a, 6) for a, b in pairwise(ticks)}
        assert ticks[0] == 0
        assert axis.top >= largest * (1 - 1e-9)
        assert 3 <= len(ticks) <= 6
        assert len(steps) == 1
