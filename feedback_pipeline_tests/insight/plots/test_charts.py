import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.insight.plots import NARROW, WIDE, Series, Size, amounts, fractions, lines, stacked_bars

SIZE = Size(width=200, height=100, left=0, right=0, top=0, bottom=0)


def test_bars_stand_on_each_other() -> None:
    chart = stacked_bars(["a", "b"], [Series("low", [1, 0], 1), Series("high", [1, 2], 2)], amounts(2), SIZE)

    low, high = (mark.path for mark in chart.marks)

    assert low == "M33.0 100.0V50.0h34.0V100.0z"
    assert high == "M33.0 50.0V0.0h34.0V50.0zM133.0 100.0V0.0h34.0V100.0z"


def test_a_line_is_broken_where_a_value_is_missing_and_a_lone_value_is_a_dot() -> None:
    chart = lines(["a", "b", "c", "d"], [Series("s", [0.0, 1.0, None, 0.5], 1)], fractions(), SIZE)

    assert chart.marks[0].path == "M25 100L75 0"
    assert (175.0, 50.0) in chart.marks[0].dots


def test_dots_are_left_out_where_they_would_touch() -> None:
    crowded = lines(["x"] * 100, [Series("s", [0.5] * 100, 1)], fractions(), WIDE)

    assert crowded.marks[0].dots == ()


@given(count=st.integers(1, 120), label=st.sampled_from(["3 Nov", "31 Oct", "Nov 2026"]))
def test_labels_neither_touch_nor_leave_the_plot_and_the_last_is_there(count: int, label: str) -> None:
    for size in (WIDE, NARROW):
        chart = stacked_bars([label] * count, [Series("s", [1] * count, 1)], amounts(1), size)
        places, half = [tick.at for tick in chart.x_ticks], len(label) * 6.4 / 2
        assert places[0] - half >= 0
        assert places[-1] + half <= size.width
        assert all(b - a >= 2 * half for a, b in pairwise(places))
        assert chart.x_ticks[-1].label == label


@given(values=st.lists(st.integers(0, 10_000), min_size=1, max_size=60))
def test_everything_drawn_lies_within_the_plot(values: list[int]) -> None:
    chart = stacked_bars(["1 Nov"] * len(values), [Series("s", values, 1)], amounts(max(values)), NARROW)

    heights = [float(y) for y in re.findall(r"V([\d.]+)", chart.marks[0].path)]

    assert all(NARROW.top <= y <= NARROW.base for y in heights)
