"""What corrections are good for: who is given examples, which are given most, how answers are rated."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from feedback_pipeline.insight.classes import SizeClass, classes
from feedback_pipeline.insight.window import Window
from feedback_pipeline.store.counting import uses
from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.counting.uses import Looked, Rated, Source
from feedback_pipeline.store.transitions import Status

TOP = 10
_TRIED_TOGETHER = 200


@dataclass(frozen=True)
class Lookups:
    """Questions that looked for examples, and those that were given at least one; ``share`` is None without any."""

    queries: int
    with_example: int
    share: float | None


@dataclass(frozen=True)
class DayLookups(Lookups):
    """Those of one UTC day."""

    day: date


@dataclass(frozen=True)
class DatabaseLookups(Lookups):
    """Those about one database."""

    database_id: str


@dataclass(frozen=True)
class ExampleShare(Lookups):
    """Those of the window. ``reported_by_interactions`` are further answers that name the examples they were shown.

    They name no retrieval, so they are no part of the share: an answer without examples reports nothing, and would be
    missing below the line.
    """

    days: list[DayLookups]
    databases: list[DatabaseLookups]
    reported_by_interactions: int


@dataclass(frozen=True)
class UsedExample:
    """An example, in how many ``queries`` it was given, ever, and when last (UTC).

    ``feedback_id`` is the earliest correction it rests on, one that is applied where there is one, ``question`` that
    correction's in safe form; ``corrections`` says how many it rests on.
    """

    example_id: str
    feedback_id: str
    database_id: str
    question: str
    corrections: int
    queries: int
    last_used_at: datetime | None


@dataclass(frozen=True)
class Uses:
    """The examples used most, the most used first.

    ``applied`` counts the corrections that are applied and whose example is known; ``never_used`` those of them of
    which no example was ever given to a question. ``by_use`` tells how many of them were of use in how many queries;
    where a correction is behind several examples, the queries of each count.
    """

    top: list[UsedExample]
    applied: int
    never_used: int
    by_use: list[SizeClass]


@dataclass(frozen=True)
class ThumbsDay:
    """Ratings recorded on one UTC day."""

    day: date
    up: int
    down: int


@dataclass(frozen=True)
class Thumbs:
    """How users rated answers; ``share_up`` is None without ratings."""

    up: int
    down: int
    share_up: float | None
    days: list[ThumbsDay]


def count_lookups(session: Session, scope: Scope, window: Window) -> ExampleShare:
    """Count the questions of ``window`` that looked for examples."""
    reported = uses.interactions_reporting_examples(session, scope)
    return add_up_lookups(uses.lookups(session, scope, window.days), reported, window)


def add_up_lookups(looked: Iterable[Looked], reported: int, window: Window) -> ExampleShare:
    """Add up what was ``looked`` for, by day and by database."""
    by_day, by_database = defaultdict[date, Counter[bool]](Counter), defaultdict[str, Counter[bool]](Counter)
    for found in looked:
        for counts in (by_day[found.day], by_database[found.database_id]):
            counts.update({True: found.with_example, False: found.queries - found.with_example})
    days = [DayLookups(**_lookups(by_day[day]), day=day) for day in window.days]
    databases = [DatabaseLookups(**_lookups(found), database_id=name) for name, found in by_database.items()]
    databases.sort(key=lambda one: (-one.queries, one.database_id))
    together = sum(by_day.values(), Counter())
    return ExampleShare(**_lookups(together), days=days, databases=databases, reported_by_interactions=reported)


def _lookups(counts: Counter[bool]) -> dict[str, Any]:
    queries = counts.total()
    return {"queries": queries, "with_example": counts[True], "share": counts[True] / queries if queries else None}


def count_uses(session: Session, scope: Scope) -> Uses:
    """Count in how many queries each example was given, ever."""
    queries, applied = uses.queries_by_example(session), uses.applied_sources(session, scope)
    by_correction: Counter[str] = Counter()
    for feedback_id, example_id in applied:
        by_correction[feedback_id] += queries[example_id]
    by_use = classes(Counter(by_correction.values()).items())
    never_used = by_use[0].number
    return Uses(_top(session, scope, queries), len(by_correction), never_used, by_use)


def _top(session: Session, scope: Scope, queries: Mapping[str, int]) -> list[UsedExample]:
    allowed = uses.examples_of(session, scope)
    ranked = sorted((i for i in queries if allowed is None or i in allowed), key=lambda i: (-queries[i], i))
    sources: dict[str, list[Source]] = defaultdict(list)
    # All that an example rested on may have been erased, so more are looked up than are wanted.
    for start in range(0, len(ranked), _TRIED_TOGETHER):
        for source in uses.sources_of(session, scope, ranked[start : start + _TRIED_TOGETHER]):
            sources[source.example_id].append(source)
        if len(sources) >= TOP:
            break
    top = [example_id for example_id in ranked if example_id in sources][:TOP]
    last = uses.last_uses(session, top)
    return [_used(sources[example_id], queries[example_id], last.get(example_id)) for example_id in top]


def _used(sources: list[Source], queries: int, last: datetime | None) -> UsedExample:
    speaking = next((source for source in sources if source.status == Status.APPLIED), sources[0])
    return UsedExample(
        speaking.example_id,
        speaking.feedback_id,
        speaking.database_id,
        speaking.question,
        corrections=len(sources),
        queries=queries,
        last_used_at=last,
    )


def count_thumbs(session: Session, scope: Scope, window: Window) -> Thumbs:
    """Count the ratings recorded in ``window``."""
    return add_up_thumbs(uses.ratings(session, scope), window)


def add_up_thumbs(rated: Iterable[Rated], window: Window) -> Thumbs:
    """Add up ratings by day."""
    counts: Counter[tuple[date, int]] = Counter()
    for one in rated:
        counts[window.day(one.day), one.rating] += one.number
    days = [ThumbsDay(day, counts[day, 1], counts[day, -1]) for day in window.days]
    up, down = sum(day.up for day in days), sum(day.down for day in days)
    return Thumbs(up, down, up / (up + down) if up + down else None, days)
