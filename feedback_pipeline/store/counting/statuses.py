"""What happened to feedback: how many stand where, how many moved on each day."""

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Double, FromClause, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.edits import is_edit
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.store.transitions import ALLOWED_FROM, TARGET, Event, Status
from feedback_pipeline.store.types import UtcDay

DECIDED = (Event.VERIFIED, Event.REJECTED)

_ONLY_SOURCE = {event: next(iter(sources)) for event, sources in ALLOWED_FROM.items() if len(sources) == 1}
_SEVERAL_SOURCES = [event.value for event in ALLOWED_FROM if event not in _ONLY_SOURCE]


class Flow(NamedTuple):
    """So many feedbacks went on one day, by one event, from one status to another; those submitted from none.

    ``of_edits``: they came from reviewers, so that nobody submitted them.
    """

    day: date
    event: Event
    source: Status | None
    target: Status
    number: int
    of_edits: bool = False


class UtcSeconds(FunctionElement[float]):
    """SQL expression: seconds from 1970 to a ``UtcDateTime``."""

    type = Double()
    name = "utc_seconds"
    inherit_cache = True


@compiles(UtcSeconds, "sqlite")
def _utc_seconds_sqlite(element: UtcSeconds, compiler: SQLCompiler, **kw: Any) -> str:
    return f"((julianday({compiler.process(element.clauses, **kw)}) - 2440587.5) * 86400.0)"


@compiles(UtcSeconds, "postgresql")
def _utc_seconds_postgresql(element: UtcSeconds, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(extract(epoch FROM {compiler.process(element.clauses, **kw)}) AS double precision)"


def standing_now(session: Session, scope: Scope) -> dict[str, int]:
    """Return how many stand in each status; all statuses are there."""
    query = select(FeedbackRow.status, func.count()).where(scope.includes(FeedbackRow.database_id))
    counts = dict(session.execute(query.group_by(FeedbackRow.status)).tuples().all())
    return {status.value: counts.get(status.value, 0) for status in Status}


def flows(session: Session, scope: Scope) -> list[Flow]:
    """Return how many feedbacks moved between statuses on each day since."""
    return [*_submitted(session, scope), *_flows_from_one_source(session, scope), *_flows_from_several(session, scope)]


def _submitted(session: Session, scope: Scope) -> list[Flow]:
    day, events = UtcDay(FeedbackEventRow.at), FeedbackEventRow
    all_of_them = scope.events(day, func.count()).where(events.event == Event.SUBMITTED.value).group_by(day)
    edits = all_of_them.where(events.feedback_id.in_(select(FeedbackRow.feedback_id).where(is_edit())))
    edited = dict(session.execute(edits).tuples().all())
    submitted = {on: count - edited.get(on, 0) for on, count in session.execute(all_of_them).tuples()}
    came = ((submitted, False), (edited, True))
    return [Flow(on, Event.SUBMITTED, None, Status.PENDING, n, e) for counts, e in came for on, n in counts.items()]


def _flows_from_one_source(session: Session, scope: Scope) -> list[Flow]:
    day, event = UtcDay(FeedbackEventRow.at), FeedbackEventRow.event
    wanted = [known.value for known in _ONLY_SOURCE]
    query = scope.events(day, event, func.count()).where(event.in_(wanted)).group_by(day, event)
    return [
        Flow(on, Event(name), _ONLY_SOURCE[Event(name)], TARGET[Event(name)], count)
        for on, name, count in session.execute(query)
    ]


def _flows_from_several(session: Session, scope: Scope) -> list[Flow]:
    """Look the source up in the event before, for those few feedbacks that need it."""
    steps = _steps(scope)
    query = (
        select(steps.c.day, steps.c.event, steps.c.before, func.count())
        .where(steps.c.event.in_(_SEVERAL_SOURCES), steps.c.at >= scope.since)
        .group_by(steps.c.day, steps.c.event, steps.c.before)
    )
    return [
        Flow(on, Event(name), _status_after(before), TARGET[Event(name)], count)
        for on, name, before, count in session.execute(query)
    ]


def _steps(scope: Scope) -> FromClause:
    """Return the events of feedback whose status changed so since, each with the event before it."""
    events = FeedbackEventRow
    changed = scope.events(events.feedback_id).where(events.event.in_(_SEVERAL_SOURCES))
    before = func.lag(events.event).over(partition_by=events.feedback_id, order_by=events.event_seq)
    return (
        select(UtcDay(events.at).label("day"), events.event, events.at, before.label("before"))
        .where(events.event != Event.CHECKED.value, events.feedback_id.in_(changed))
        .subquery()
    )


def _status_after(event: str | None) -> Status:
    return Status.PENDING if event is None else TARGET.get(Event(event), Status.PENDING)


def oldest_waiting(session: Session, scope: Scope) -> datetime | None:
    """Return when the pending feedback that has waited longest was submitted."""
    pending = select(FeedbackRow.feedback_id).where(
        FeedbackRow.status == Status.PENDING.value, scope.includes(FeedbackRow.database_id)
    )
    query = (
        select(FeedbackEventRow.at)
        .where(FeedbackEventRow.event == Event.SUBMITTED.value, FeedbackEventRow.feedback_id.in_(pending))
        .order_by(FeedbackEventRow.event_seq)
    )
    return session.scalars(query.limit(1)).first()


def databases_with_feedback(session: Session, scope: Scope) -> list[str]:
    """Return the databases that any feedback is about, in alphabetical order."""
    query = select(FeedbackRow.database_id).where(scope.includes(FeedbackRow.database_id)).distinct()
    return sorted(session.scalars(query))
