"""Bars that stand on each other, and lines with gaps where there is nothing to show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from feedback_pipeline.insight.plots.scale import Axis

_LETTER = 6.4
"""Width of a letter of the labels, about."""
_BETWEEN_LABELS = 14
_EDGE = 3
_GAP = 0.22
"""Share of a slot that stays free between bars."""
_WIDEST_BAR = 34.0


@dataclass(frozen=True)
class Size:
    """Width and height of a plot, and what its labels take on each side."""

    width: int
    height: int
    left: int = 46
    right: int = 8
    top: int = 10
    bottom: int = 24

    @property
    def base(self) -> int:
        """Where zero lies."""
        return self.height - self.bottom

    @property
    def inner_width(self) -> int:
        """Width of the part where data is drawn."""
        return self.width - self.left - self.right


WIDE, NARROW = Size(640, 240), Size(336, 220)


@dataclass(frozen=True)
class Series:
    """Values of one kind, one per slot; None where there is none. ``style`` is the number of its colour."""

    name: str
    values: Sequence[float | None]
    style: int


@dataclass(frozen=True)
class Intervals:
    """Low bound, estimate and high bound per slot; None where there is none. ``style`` is the number of the colour."""

    name: str
    values: Sequence[tuple[float, float, float] | None]
    style: int


@dataclass(frozen=True)
class Tick:
    """A label of an axis, and where."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """What is drawn for one series: an SVG path, and dots."""

    name: str
    style: int
    path: str
    dots: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Slot:
    """The strip of the plot that belongs to one label, with the text that pointing at it shows."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Everything a template needs to draw a plot. ``kind`` is ``bars`` or ``lines``."""

    kind: str
    size: Size
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    slots: tuple[Slot, ...]


def stacked_bars(
    labels: Sequence[str], series: Sequence[Series], axis: Axis, size: Size, texts: Sequence[str] = ()
) -> Chart:
    """Return a chart with one bar per label; the first of ``series`` stands at the bottom."""
    step = size.inner_width / len(labels)
    width = min(step * (1 - _GAP), _WIDEST_BAR)
    floors, marks = [0.0] * len(labels), []
    for one in series:
        path = []
        for number, value in enumerate(one.values):
            if value:
                x, top = size.left + (number + 0.5) * step - width / 2, floors[number] + value
                low, high = _y(floors[number], axis, size), _y(top, axis, size)
                path.append(f"M{x:.1f} {low:.1f}V{high:.1f}h{width:.1f}V{low:.1f}z")
                floors[number] = top
        marks.append(Mark(one.name, one.style, "".join(path)))
    return _chart("bars", labels, marks, axis, size, texts)


def lines(labels: Sequence[str], series: Sequence[Series], axis: Axis, size: Size, texts: Sequence[str] = ()) -> Chart:
    """Return a chart with a line per series, broken where a value is missing, dots where there is room for them."""
    step = size.inner_width / len(labels)
    marks = []
    for one in series:
        points = [
            None if value is None else (round(size.left + (number + 0.5) * step, 1), round(_y(value, axis, size), 1))
            for number, value in enumerate(one.values)
        ]
        runs = [[point for point in run if point] for there, run in groupby(points, key=bool) if there]
        path = "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in run) for run in runs if len(run) > 1)
        alone = {run[0] for run in runs if len(run) == 1}
        dots = tuple(point for point in points if point and (step >= _BETWEEN_LABELS or point in alone))
        marks.append(Mark(one.name, one.style, path, dots))
    return _chart("lines", labels, marks, axis, size, texts)


def intervals(
    labels: Sequence[str],
    series: Sequence[Intervals],
    axis: Axis,
    size: Size,
    texts: Sequence[str] = (),
) -> Chart:
    """Return a chart with an upright line from low to high per label, and a dot at the estimate."""
    step = size.inner_width / len(labels)
    marks = []
    for one in series:
        path, dots = [], []
        for number, bounds in enumerate(one.values):
            if bounds is not None:
                x = round(size.left + (number + 0.5) * step, 1)
                low, estimate, high = (round(_y(value, axis, size), 1) for value in bounds)
                path.append(f"M{x:g} {low:g}V{high:g}")
                dots.append((x, estimate))
        marks.append(Mark(one.name, one.style, "".join(path), tuple(dots)))
    return _chart("lines", labels, marks, axis, size, texts)


def _y(value: float, axis: Axis, size: Size) -> float:
    return size.base - (value - axis.bottom) / (axis.top - axis.bottom) * (size.base - size.top)


def _chart(
    kind: str, labels: Sequence[str], marks: Sequence[Mark], axis: Axis, size: Size, texts: Sequence[str]
) -> Chart:
    step = size.inner_width / len(labels)
    slots = tuple(Slot(round(size.left + n * step, 1), round(step, 1), text) for n, text in enumerate(texts))
    y_ticks = tuple(Tick(round(_y(value, axis, size), 1), label) for value, label in axis.ticks)
    return Chart(kind, size, y_ticks, _x_ticks(labels, step, size), tuple(marks), slots)


def _x_ticks(labels: Sequence[str], step: float, size: Size) -> tuple[Tick, ...]:
    """Label every n-th slot, counted from the last, so that labels neither touch nor leave the plot."""
    width = max(map(len, labels)) * _LETTER
    every = math.ceil((width + _BETWEEN_LABELS) / step)
    lowest, highest = width / 2 + _EDGE, size.width - width / 2 - _EDGE
    ticks: list[Tick] = []
    for number in range(len(labels) - 1, -1, -every):
        at = min(max(size.left + (number + 0.5) * step, lowest), highest)
        # The outermost may have been moved inwards.
        if not ticks or ticks[-1].at - at >= width + _EDGE:
            ticks.append(Tick(round(at, 1), labels[number]))
    return tuple(reversed(ticks))
