"""The plots that do not follow the days: how uses and contributions are spread, and what single examples do."""

from collections.abc import Sequence

from feedback_pipeline.insight import Utilisation
from feedback_pipeline.insight.classes import SizeClass
from feedback_pipeline.insight.lift import ExampleLift
from feedback_pipeline.insight.plots import NARROW, WIDE, Intervals, Series, amounts, intervals, signed_fractions
from feedback_pipeline.insight.plots import stacked_bars as bars
from feedback_pipeline.insight.plots.figure import Figure, Table
from feedback_pipeline.insight.words import points

HARMS, HELPS, UNSURE = "harms", "helps", "cannot be told yet"


def uses(numbers: Utilisation) -> Figure:
    """Return how many corrections were of use in how many queries."""
    return _spread(
        "by_use",
        "Corrections by use",
        "How many corrections that are applied were given to how many queries, ever.",
        "No applied correction's example is known yet.",
        numbers.uses.by_use,
        ("queries", "corrections"),
    )


def contributors(numbers: Utilisation) -> Figure:
    """Return how many users submitted how much."""
    return _spread(
        "contributors",
        "Contributors by how much they gave",
        "How many users submitted how much feedback in these days.",
        "No user has submitted feedback in these days.",
        # Who gave nothing is no contributor.
        numbers.contributors.by_submissions[1:],
        ("feedback submitted", "users"),
    )


def _spread(
    name: str, title: str, description: str, nothing: str, found: Sequence[SizeClass], columns: tuple[str, str]
) -> Figure:
    labels, values = [one.label for one in found], [one.number for one in found]
    texts = [f"{label} {columns[0]}: {value:,} {columns[1]}" for label, value in zip(labels, values, strict=True)]
    series, axis = [Series(columns[1], values, 1)], amounts(max(values, default=0))
    charts = tuple(bars(labels, series, axis, size, texts) for size in (WIDE, NARROW)) if any(values) else ()
    rows: list[tuple[str | int, ...]] = list(zip(labels, values, strict=True))
    return Figure(name, title, description, nothing, (), charts, Table(columns, rows))


def lift(numbers: Utilisation) -> Figure:
    """Return the lift of the examples whose effect is surest, with its confidence interval."""
    shown = numbers.lift.examples
    labels = [str(number) for number in range(1, len(shown) + 1)]
    series = [
        Intervals(name, [_bounds(one) if effect_of(one) == name else None for one in shown], style)
        for name, style in ((HARMS, 2), (UNSURE, 6), (HELPS, 1))
    ]
    there = [one for one in series if any(one.values)]
    largest = max((max(abs(low), abs(high)) for low, _, high in map(_bounds, shown)), default=0.0)
    texts = [f"{label}: {_said(one)}" for label, one in zip(labels, shown, strict=True)]
    sizes = (WIDE, NARROW) if shown else ()
    return Figure(
        name="lift",
        title="What examples do",
        description="Share of good answers with an example less the share without it, where chance withheld it, and "
        "the 95% confidence interval. The examples whose effect is surest.",
        nothing="Nothing can be compared yet: no judged answer went without an example by chance.",
        legend=tuple((one.name, one.style) for one in there),
        charts=tuple(intervals(labels, there, signed_fractions(largest), size, texts) for size in sizes),
        table=Table(
            ("example", "lift", "from", "to", "judged with", "good", "judged without", "good"),
            [(label, *_row(one)) for label, one in zip(labels, shown, strict=True)],
        ),
        is_line=True,
    )


def effect_of(one: ExampleLift) -> str:
    """Return in a word what the interval says."""
    low, _, high = _bounds(one)
    if high < 0:
        return HARMS
    return HELPS if low > 0 else UNSURE


def _bounds(one: ExampleLift) -> tuple[float, float, float]:
    return one.low or 0.0, one.lift or 0.0, one.high or 0.0


def _said(one: ExampleLift) -> str:
    low, estimate, high = map(points, _bounds(one))
    return f"{estimate} points, between {low} and {high}; {one.question}"


def _row(one: ExampleLift) -> tuple[str | int, ...]:
    counts = one.judged_with, one.good_with, one.judged_without, one.good_without
    return (*(points(value) for value in (one.lift, one.low, one.high)), *counts)
