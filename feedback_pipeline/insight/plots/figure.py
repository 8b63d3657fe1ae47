"""A plot with the numbers behind it: drawn in two widths, from where something begins to happen."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from feedback_pipeline.insight.plots.charts import NARROW, WIDE, Chart, Series, stacked_bars
from feedback_pipeline.insight.plots.scale import Axis
from feedback_pipeline.insight.words import short_day

_FEWEST_SLOTS = {"day": 14, "week": 4}
_LONG_WINDOW = 300

Item = TypeVar("Item")
Cell = str | int


@dataclass(frozen=True)
class Table:
    """The numbers of a figure; the first column names the row."""

    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True)
class Figure:
    """A plot in two widths, and its numbers. ``charts`` is empty where there is nothing to draw."""

    name: str
    title: str
    description: str
    nothing: str
    legend: tuple[tuple[str, int], ...]
    charts: tuple[Chart, ...]
    table: Table
    is_line: bool = False


def legend_of(series: Iterable[Series]) -> tuple[tuple[str, int], ...]:
    """Return the name and style of each of ``series``."""
    return tuple((one.name, one.style) for one in series)


def charts_of(
    draw: Callable[..., Chart],
    days: Sequence[date],
    series: Sequence[Series],
    axis_to: Callable[[float], Axis],
    say: Callable[[float | None], str] = lambda value: f"{value or 0:,.0f}",
) -> tuple[Chart, ...]:
    """Return a wide and a narrow chart, made by ``draw`` (lines or stacked_bars), or none where all is empty.

    ``axis_to`` makes an axis that reaches a value, ``say`` words of one.
    """
    is_stacked = draw is stacked_bars
    slots = [[one.values[number] for one in series] for number in range(len(days))]
    there = [value for slot in slots for value in slot if value or (value is not None and not is_stacked)]
    if not there:
        return ()
    highest = max(sum(value or 0 for value in slot) for slot in slots) if is_stacked else max(there)
    is_long = (days[-1] - days[0]).days > _LONG_WINDOW
    labels = [short_day(day, with_year=is_long) for day in days]
    texts = [_text(day, series, slot, say) for day, slot in zip(days, slots, strict=True)]
    return tuple(draw(labels, series, axis_to(highest), size, texts) for size in (WIDE, NARROW))


def _text(
    day: date, series: Sequence[Series], values: Sequence[float | None], say: Callable[[float | None], str]
) -> str:
    said = ", ".join(f"{one.name} {say(value)}" for one, value in zip(series, values, strict=True))
    return f"{day.isoformat()}: {said}"


def since_something(items: Sequence[Item], has: Callable[[Item], bool], slot: str) -> list[Item]:
    """Return ``items``, one per ``slot`` (day or week), from the first that has something on; always some."""
    return list(items[first_shown([has(item) for item in items], slot) :])


def first_shown(there: Sequence[bool], slot: str) -> int:
    """Return where to begin, so that a plot does not consist of the time before anything happened."""
    first = next((number for number, has in enumerate(there) if has), len(there))
    return max(0, min(first, len(there) - _FEWEST_SLOTS[slot]))
