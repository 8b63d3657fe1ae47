"""The plots of the numbers: which become bars and lines, and the tables that say the same."""

from collections.abc import Iterable, Sequence
from datetime import date

from feedback_pipeline.insight import Utilisation
from feedback_pipeline.insight.people import Load, WeekLoad
from feedback_pipeline.insight.plots import Series, amounts, durations, fractions, lines
from feedback_pipeline.insight.plots import stacked_bars as bars
from feedback_pipeline.insight.plots.figure import Figure, Table, charts_of, first_shown, legend_of, since_something
from feedback_pipeline.insight.spread_figures import contributors, lift, uses
from feedback_pipeline.insight.statuses import StatusDay
from feedback_pipeline.insight.uses import DayLookups
from feedback_pipeline.insight.window import week_of
from feedback_pipeline.insight.words import in_words, percent

MOST_DAILY = 100
"""Longer windows are shown by week."""

_NAMED_REVIEWERS = 4

_STATUSES = (
    ("applied", ("applied",), 1),
    ("verified", ("verified",), 3),
    ("pending", ("pending",), 2),
    ("rejected", ("rejected",), 4),
    ("out of use", ("superseded", "stale", "withdrawn"), 6),
)


def figures(numbers: Utilisation) -> dict[str, Figure]:
    """Return all figures by name."""
    made = (_statuses, _time_to_use, _examples, _reviewing, _repeats, _thumbs, uses, contributors, lift)
    return {figure.name: figure for figure in (make(numbers) for make in made)}


def _statuses(numbers: Utilisation) -> Figure:
    days = since_something(numbers.statuses.days, lambda day: bool(sum(day.standing.values())), "day")
    is_weekly = len(days) > MOST_DAILY
    shown = _last_of_each_week(days) if is_weekly else days
    values = [(name, [sum(day.standing[s] for s in of) for day in shown], style) for name, of, style in _STATUSES]
    series = [Series(*one) for one in values if any(one[1])]
    happened = ("submitted", "verified", "rejected", "applied")
    rows = [
        (day.day.isoformat(), *(getattr(day, event) for event in happened), *day.standing.values())
        for day in reversed(days)
    ]
    columns = ("day", *happened, *(f"{status} at its end" for status in numbers.statuses.now))
    every = "week" if is_weekly else "day"
    return Figure(
        name="statuses",
        title="Where feedback stands",
        description=f"All feedback at the end of each {every}, by status.",
        nothing="No feedback has been submitted.",
        legend=legend_of(series),
        charts=charts_of(bars, [day.day for day in shown], series, amounts),
        table=Table(columns, rows),
    )


def _time_to_use(numbers: Utilisation) -> Figure:
    applied, decided = numbers.times.to_applied, numbers.times.to_decision
    weeks = since_something(list(zip(applied.weeks, decided.weeks, strict=True)), lambda w: bool(w[0].n), "week")
    series = [
        Series("90th percentile", [week.p90_s for week, _ in weeks], 2),
        Series("median", [week.median_s for week, _ in weeks], 1),
    ]
    rows = [
        (a.week.isoformat(), a.n, in_words(a.median_s), in_words(a.p90_s), d.n, in_words(d.median_s), in_words(d.p90_s))
        for a, d in reversed(weeks)
    ]
    columns = ("week from", "applied", "median", "90% within", "decided", "median to decision", "90% decided within")
    return Figure(
        name="times",
        title="From submission to use",
        description="How long corrections took to be applied, by the week in which they were.",
        nothing="No correction was applied in these days.",
        legend=legend_of(series),
        charts=charts_of(lines, [week.week for week, _ in weeks], series, durations, in_words),
        table=Table(columns, rows),
        is_line=True,
    )


def _examples(numbers: Utilisation) -> Figure:
    days = since_something(numbers.examples.days, lambda day: bool(day.queries), "day")
    is_weekly = len(days) > MOST_DAILY
    shown = _weekly_lookups(days) if is_weekly else days
    every = "week" if is_weekly else "day"
    series = [Series("share of queries", [day.share for day in shown], 1)]
    rows = [(day.day.isoformat(), day.queries, day.with_example, percent(day.share)) for day in reversed(shown)]
    return Figure(
        name="examples",
        title="Queries that got an example",
        description=f"Share of the questions of each {every} that were given at least one correction as an example.",
        nothing="No question has looked for examples in these days.",
        legend=(),
        charts=charts_of(lines, [day.day for day in shown], series, fractions, percent),
        table=Table((f"{every}{' from' if is_weekly else ''}", "queries", "with an example", "share"), rows),
        is_line=True,
    )


def _weekly_lookups(days: Sequence[DayLookups]) -> list[DayLookups]:
    weeks: dict[date, list[DayLookups]] = {}
    for day in days:
        weeks.setdefault(week_of(day.day), []).append(day)
    return [_together(monday, some) for monday, some in weeks.items()]


def _together(monday: date, days: Sequence[DayLookups]) -> DayLookups:
    queries, found = sum(day.queries for day in days), sum(day.with_example for day in days)
    return DayLookups(queries, found, found / queries if queries else None, monday)


def _reviewing(numbers: Utilisation) -> Figure:
    reviewers, automatic = numbers.reviewing.reviewers, numbers.reviewing.automatic
    named, others = reviewers[:_NAMED_REVIEWERS], reviewers[_NAMED_REVIEWERS:]
    groups = [(load.actor, [load], style) for style, load in enumerate(named, start=1)]
    groups += [("others", others, 5), ("without a person", automatic, 6)]
    weeks = [week.week for week in (reviewers or automatic)[0].weeks] if reviewers or automatic else []
    counts = [(name, _per_week(some, len(weeks)), style) for name, some, style in groups if some]
    begin = first_shown([any(values[n] for _, values, _ in counts) for n in range(len(weeks))], "week")
    series = [Series(name, values[begin:], style) for name, values, style in counts]
    rows = [
        (load.actor, load.verified, load.rejected, load.noted, *(_done(week) for week in reversed(load.weeks[begin:])))
        for load in (*reviewers, *automatic)
    ]
    columns = (
        "who",
        "verified",
        "rejected",
        "noted",
        *(f"week of {day.isoformat()}" for day in reversed(weeks[begin:])),
    )
    return Figure(
        name="reviewing",
        title="Who decides",
        description="Decisions of each week, and words that wait for other reviewers to agree.",
        nothing="Nobody has verified or rejected anything in these days.",
        legend=legend_of(series),
        charts=charts_of(bars, weeks[begin:], series, amounts),
        table=Table(columns, rows),
    )


def _per_week(loads: Iterable[Load], weeks: int) -> list[int]:
    return [sum(_done(load.weeks[number]) for load in loads) for number in range(weeks)]


def _done(week: WeekLoad) -> int:
    return week.verified + week.rejected + week.noted


def _repeats(numbers: Utilisation) -> Figure:
    weeks = since_something(numbers.repeats.weeks, lambda week: bool(week.mistakes), "week")
    series = [
        Series("taught, same question", [week.same_question for week in weeks], 2),
        Series("taught, other wording", [week.other_wording for week in weeks], 5),
        Series("new", [week.mistakes - week.repeated for week in weeks], 1),
    ]
    rows = [
        (week.week.isoformat(), week.mistakes, week.same_question, week.other_wording, percent(week.share))
        for week in reversed(weeks)
    ]
    return Figure(
        name="repeats",
        title="Mistakes, taught and new",
        description="Mistakes that corrections report: new ones, and those the model had been taught better.",
        nothing="No correction of these days shows a mistake.",
        legend=legend_of([one for one in series if any(one.values)]),
        charts=charts_of(bars, [week.week for week in weeks], series, amounts),
        table=Table(("week from", "mistakes", "taught, same question", "taught, other wording", "made again"), rows),
    )


def _thumbs(numbers: Utilisation) -> Figure:
    weeks: dict[date, list[int]] = {}
    for day in numbers.thumbs.days:
        counts = weeks.setdefault(week_of(day.day), [0, 0])
        counts[0], counts[1] = counts[0] + day.up, counts[1] + day.down
    shown = since_something(list(weeks.items()), lambda week: any(week[1]), "week")
    series = [Series("up", [up for _, (up, _) in shown], 1), Series("down", [down for _, (_, down) in shown], 2)]
    rows = [
        (week.isoformat(), up, down, percent(up / (up + down) if up + down else None))
        for week, (up, down) in reversed(shown)
    ]
    return Figure(
        name="thumbs",
        title="Thumbs",
        description="Ratings of answers, by the week in which they were given.",
        nothing="No answer was rated in these days.",
        legend=legend_of(series),
        charts=charts_of(bars, [week for week, _ in shown], series, amounts),
        table=Table(("week from", "up", "down", "share up"), rows),
    )


def _last_of_each_week(days: Iterable[StatusDay]) -> list[StatusDay]:
    by_week = {week_of(day.day): day for day in days}
    return list(by_week.values())
