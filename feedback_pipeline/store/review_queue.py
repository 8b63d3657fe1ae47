"""Asking the store for the queue of reviewers: which feedback matches a filter, in which order, and how much there is.

The rows of feedback are heavy, with all their evidence. So conditions and orders are answered from the two narrow
indices, ``ix_feedback_queue`` and ``ix_feedback_counts``, and only the rows of one page are read. Postgres plans that
by itself from its statistics; SQLite has none, so it is told which index serves what.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    func,
    literal,
    literal_column,
    not_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.events import rows_by_id, utc_now
from feedback_pipeline.store.models import FeedbackRow, ReservationRow
from feedback_pipeline.store.retirements import proposed_feedback
from feedback_pipeline.store.transitions import Status

Order = Literal["value", "oldest", "newest"]
"""``value``: what is most worth a review comes first."""

Checks = Literal["passed", "failed", "unchecked", "flagged"]
"""``passed``: and nothing is flagged. ``flagged``: whether it passed or not."""

FEEDBACK = cast(Table, FeedbackRow.__table__)

_BY_VALUE, _BY_FACET = "INDEXED BY ix_feedback_queue", "INDEXED BY ix_feedback_counts"
_BY_TIME = "INDEXED BY ix_feedback_status_created_at"
_SHOWN = (
    *(FeedbackRow.status, FeedbackRow.database_id, FeedbackRow.natural_query, FeedbackRow.generated_sql),
    *(FeedbackRow.corrected_sql, FeedbackRow.rating, FeedbackRow.comment, FeedbackRow.source, FeedbackRow.created_at),
    *(FeedbackRow.checks, FeedbackRow.checks_passed, FeedbackRow.review_order, FeedbackRow.times_asked),
    *(FeedbackRow.similar_waiting, FeedbackRow.in_conflict),
)


@dataclass(frozen=True)
class QueueFilter:
    """Which feedback is wanted; None asks for nothing.

    Attributes:
        status: of the feedback; the queue holds what is ``pending``.
        databases: those the caller may see; None for all.
        database_id: one database.
        checks: what the checks say.
        conflict: whether other answers to the same question contradict it.
        submitted_after: only what was submitted at or after this moment.
        submitted_before: only what was submitted before this moment.
        reserved: whether a reviewer has it for themselves; those of ``reviewer`` count as free.
        text: words of the question, in this order; upper and lower case are the same (on SQLite of A to Z only).
        retirement: whether it stands behind an example that is proposed for retirement; it is applied then.
        reviewer: who asks.

    """

    status: str = "pending"
    databases: frozenset[str] | None = None
    database_id: str | None = None
    checks: Checks | None = None
    conflict: bool | None = None
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None
    reserved: bool | None = None
    text: str | None = None
    retirement: bool | None = None
    reviewer: str | None = None


@dataclass(frozen=True)
class Position:
    """Where a page ended: order, time and id of its last item."""

    review_order: float
    created_at: datetime
    feedback_id: str


Group = tuple[str, bool | None, bool, bool]
"""(database_id, checks_passed, flagged, in_conflict): what feedback is counted by."""


def page_of(session: Session, wanted: QueueFilter, order: Order, limit: int, after: Position | None) -> list[Position]:
    """Return where the next ``limit`` items stand that match ``wanted``, in their order."""
    query = select(FEEDBACK.c.review_order, FEEDBACK.c.created_at, FEEDBACK.c.feedback_id)
    query = _matching(session, query, wanted, _BY_VALUE if order == "value" else _BY_TIME)
    query = _in_order(_beside(query, wanted), order, after)
    return [Position(*row) for row in session.execute(query.limit(limit))]


def all_ids(session: Session, wanted: QueueFilter) -> list[str]:
    """Return the ids of all that matches ``wanted``, sorted."""
    query = _beside(_matching(session, select(FEEDBACK.c.feedback_id), wanted, _BY_VALUE), wanted)
    return sorted(session.scalars(query))


def counts_by_group(session: Session, wanted: QueueFilter) -> Mapping[Group, int]:
    """Count what matches ``wanted``, but for its database, checks, conflict and reservation, by what it is like."""
    columns = FEEDBACK.c.database_id, FEEDBACK.c.checks_passed, FEEDBACK.c.flagged, FEEDBACK.c.in_conflict
    all_facets = replace(wanted, database_id=None, checks=None, conflict=None)
    query = _proposed(_matching(session, select(*columns, func.count()), all_facets, _BY_FACET), wanted)
    return {(row[0], row[1], row[2], row[3]): row[4] for row in session.execute(query.group_by(*columns))}


def count_for_retirement(session: Session, wanted: QueueFilter) -> int:
    """Count what is applied and proposed for retirement in the databases of ``wanted``, its other parts aside."""
    applied = QueueFilter(Status.APPLIED.value, wanted.databases, wanted.database_id, retirement=True)
    conditions = FEEDBACK.c.status == applied.status, *_facets(FEEDBACK, applied)
    query = select(func.count()).select_from(FEEDBACK).where(*conditions)
    return session.scalar(_proposed(query, applied)) or 0


def shown_rows(store: Store, feedback_ids: Iterable[str]) -> dict[str, Any]:
    """Return what a list shows of each feedback that exists, by id."""
    with store.read() as session:
        return rows_by_id(session, feedback_ids, *_SHOWN)


def _in_order(query: Select[Any], order: Order, after: Position | None) -> Select[Any]:
    key = ["review_order", "created_at", "feedback_id"] if order == "value" else ["created_at", "feedback_id"]
    columns = [FEEDBACK.c[name] for name in key]
    if after is not None:
        place = tuple_(*(literal(getattr(after, name), FEEDBACK.c[name].type) for name in key))
        query = query.where(tuple_(*columns) < place if order == "newest" else tuple_(*columns) > place)
    return query.order_by(*(column.desc() if order == "newest" else column for column in columns))


def _matching(session: Session, query: Select[Any], wanted: QueueFilter, sqlite_index: str) -> Select[Any]:
    query = query.where(FEEDBACK.c.status == Status(wanted.status).value)
    if session.get_bind().dialect.name != "sqlite":
        groups = (_facets(FEEDBACK, wanted), _times(FEEDBACK, wanted), _words(FEEDBACK, wanted))
        return query.where(*(condition for group in groups for condition in group))
    query = query.with_hint(FEEDBACK, sqlite_index, "sqlite")
    for conditions, index in ((_facets, _BY_FACET), (_times, _BY_TIME), (_words, None)):
        if conditions(FEEDBACK, wanted):
            query = query.where(_rowid(FEEDBACK).in_(_rowids(conditions, wanted, index)))
    return query


def _rowids(conditions: Any, wanted: QueueFilter, index: str | None) -> Select[Any]:
    other = FEEDBACK.alias(f"by{conditions.__name__}")
    query = select(_rowid(other)).where(other.c.status == Status(wanted.status).value, *conditions(other, wanted))
    return query.with_hint(other, index, "sqlite") if index else query


def _rowid(table: FromClause) -> ColumnElement[int]:
    return literal_column(f"{cast(Any, table).name}.rowid", Integer)


def _facets(table: FromClause, wanted: QueueFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that ``ix_feedback_counts`` answers."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.databases is not None:
        conditions.append(table.c.database_id.in_(sorted(wanted.databases)))
    if wanted.database_id is not None:
        conditions.append(table.c.database_id == wanted.database_id)
    if wanted.checks is not None:
        conditions.append(_says(table, wanted.checks))
    if wanted.conflict is not None:
        conditions.append(table.c.in_conflict.is_(wanted.conflict))
    return conditions


def _says(table: FromClause, checks: Checks) -> ColumnElement[bool]:
    passed, flagged = table.c.checks_passed, table.c.flagged
    return {
        "passed": and_(passed.is_(True), not_(flagged)),
        "failed": passed.is_(False),
        "unchecked": passed.is_(None),
        "flagged": flagged.is_(True),
    }[checks]


def says(group: Group, checks: Checks) -> bool:
    """Tell of counted feedback what the filter ``checks`` asks of rows."""
    _, passed, flagged, _ = group
    if checks == "flagged":
        return flagged
    return {"passed": passed is True and not flagged, "failed": passed is False, "unchecked": passed is None}[checks]


def _times(table: FromClause, wanted: QueueFilter) -> list[ColumnElement[bool]]:
    after, before = wanted.submitted_after, wanted.submitted_before
    conditions = [] if after is None else [table.c.created_at >= after]
    return conditions if before is None else [*conditions, table.c.created_at < before]


def _words(table: FromClause, wanted: QueueFilter) -> list[ColumnElement[bool]]:
    words = (wanted.text or "").strip()
    return [table.c.natural_query.icontains(words, autoescape=True)] if words else []


def _beside(query: Select[Any], wanted: QueueFilter) -> Select[Any]:
    """Add what stands in tables beside the feedback: few rows each."""
    return _unreserved(_proposed(query, wanted), wanted)


def _proposed(query: Select[Any], wanted: QueueFilter) -> Select[Any]:
    if wanted.retirement is None:
        return query
    matches = FEEDBACK.c.feedback_id.in_(proposed_feedback())
    return query.where(matches if wanted.retirement else not_(matches))


def _unreserved(query: Select[Any], wanted: QueueFilter) -> Select[Any]:
    if wanted.reserved is None:
        return query
    held = select(ReservationRow.feedback_id).where(ReservationRow.until > utc_now())
    if wanted.reviewer is not None:
        held = held.where(ReservationRow.reviewer != wanted.reviewer)
    matches = FEEDBACK.c.feedback_id.in_(held)
    return query.where(matches if wanted.reserved else not_(matches))
