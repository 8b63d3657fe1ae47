"""Where feedback stands now and stood at the end of each day."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from feedback_pipeline.insight.window import Window
from feedback_pipeline.store.counting import statuses
from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.counting.statuses import Flow
from feedback_pipeline.store.transitions import Event, Status

_REPORTED = (Event.SUBMITTED, Event.VERIFIED, Event.REJECTED, Event.APPLIED)


@dataclass(frozen=True)
class StatusDay:
    """One UTC day: how often feedback was submitted, verified, rejected and applied, and how it stood at the end.

    ``standing`` adds up to all feedback submitted until then, and the edits of reviewers. Today's is that of now.
    """

    day: date
    submitted: int
    verified: int
    rejected: int
    applied: int
    standing: dict[str, int]


@dataclass(frozen=True)
class Statuses:
    """How many stand in each status now, and the days of the window."""

    now: dict[str, int]
    days: list[StatusDay]


def count(session: Session, scope: Scope, window: Window) -> Statuses:
    """Count ``scope`` in the days of ``window``."""
    return fold(statuses.standing_now(session, scope), statuses.flows(session, scope), window)


def fold(now: Mapping[str, int], flows: Iterable[Flow], window: Window) -> Statuses:
    """Go back from where feedback stands now, day by day, by undoing what happened on each.

    So the cost follows the window, not the age of the store.
    """
    happened: dict[date, Counter[Event]] = defaultdict(Counter)
    moved: dict[date, Counter[Status]] = defaultdict(Counter)
    for flow in flows:
        day = window.day(flow.day)
        happened[day][flow.event] += 0 if flow.of_edits else flow.number
        moved[day][flow.target] += flow.number
        if flow.source is not None:
            moved[day][flow.source] -= flow.number
    standing, days = dict(now), []
    for day in reversed(window.days):
        days.append(StatusDay(day, **{event.value: happened[day][event] for event in _REPORTED}, standing=standing))
        standing = {name: number - moved[day][Status(name)] for name, number in standing.items()}
    return Statuses(dict(now), days[::-1])
