"""Reading feedback, for people and for the interfaces they use. The pipeline reads through ``feed``."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import ColumnElement, func, select

from feedback_pipeline.schemas import SUBMISSIONS
from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.events import UnknownFeedbackError
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.store.transitions import Event, Status

LISTED = (
    FeedbackRow.feedback_id,
    FeedbackRow.client_key,
    FeedbackRow.status,
    FeedbackRow.status_reason,
    FeedbackRow.database_id,
    FeedbackRow.natural_query,
    FeedbackRow.generated_sql,
    FeedbackRow.corrected_sql,
    FeedbackRow.rating,
    FeedbackRow.comment,
    FeedbackRow.source,
    FeedbackRow.checks,
    FeedbackRow.checks_passed,
    FeedbackRow.created_at,
    FeedbackRow.updated_at,
)
HISTORY = (
    FeedbackEventRow.event_seq,
    FeedbackEventRow.event,
    FeedbackEventRow.actor,
    FeedbackEventRow.reason,
    FeedbackEventRow.payload,
    FeedbackEventRow.at,
)

SUBMISSION_TIMES = pa.schema([SUBMISSIONS.field(name) for name in ("feedback_id", "user_hash", "created_at")])


def list_feedback(
    store: Store,
    *,
    status: str | None = None,
    database_id: str | None = None,
    limit: int | None = None,
    source: str | None = None,
    only: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """Return feedback as dicts with the keys of ``LISTED``, oldest first, at most ``limit``.

    With ``only`` just the feedback with these ids. Raises ValueError for a status that does not exist.
    """
    conditions = _conditions(status, database_id, source)
    query = select(*LISTED).where(*conditions).order_by(FeedbackRow.created_at, FeedbackRow.feedback_id).limit(limit)
    with store.read() as session:
        if only is None:
            return [dict(row) for row in session.execute(query).mappings()]
        # Each batch may hold the oldest, so each gives up to ``limit``, of which the oldest are kept.
        parts = [query.where(among(session, FeedbackRow.feedback_id, ids)) for ids in batches(sorted(only))]
        rows = [dict(row) for part in parts for row in session.execute(part).mappings()]
    return sorted(rows, key=lambda row: (row["created_at"], row["feedback_id"]))[:limit]


def _conditions(status: str | None, database_id: str | None, source: str | None = None) -> list[ColumnElement[bool]]:
    wanted = {
        FeedbackRow.status: None if status is None else Status(status).value,
        FeedbackRow.database_id: database_id,
        FeedbackRow.source: source,
    }
    return [column == value for column, value in wanted.items() if value is not None]


def flagged_ids(store: Store, *, status: str | None = None, database_id: str | None = None) -> set[str]:
    """Return the ids of feedback that the checks say a person should look at."""
    query = select(FeedbackRow.feedback_id).where(FeedbackRow.flagged, *_conditions(status, database_id))
    with store.read() as session:
        return set(session.scalars(query))


def reopened_ids(store: Store) -> set[str]:
    """Return the ids of pending feedback that a person has reopened: they want to decide it themselves."""
    query = (
        select(FeedbackRow.feedback_id)
        .join(FeedbackEventRow, FeedbackEventRow.feedback_id == FeedbackRow.feedback_id)
        .where(FeedbackRow.status == Status.PENDING.value, FeedbackEventRow.event == Event.REOPENED.value)
    )
    with store.read() as session:
        return set(session.scalars(query))


class Outline(NamedTuple):
    """What it takes to tell which feedback is about the same question; texts as they may leave the store.

    ``canonical_sql`` is null where nothing was checked or could be read, ``result_digest`` where rows say nothing.
    """

    feedback_id: str
    database_id: str
    status: str
    question: str
    canonical_sql: str | None
    result_digest: str | None = None


def outlines(store: Store, statuses: Iterable[str], *, database_ids: Iterable[str] | None = None) -> list[Outline]:
    """Return outlines of all feedback in ``statuses``; with ``database_ids`` only of these databases."""
    query = select(
        FeedbackRow.feedback_id,
        FeedbackRow.database_id,
        FeedbackRow.status,
        func.coalesce(FeedbackRow.checks["safe_question"].as_string(), FeedbackRow.natural_query),
        FeedbackRow.checks["canonical_sql"].as_string(),
        FeedbackRow.checks["result_digest"].as_string(),
    ).where(FeedbackRow.status.in_(list(statuses)))
    with store.read() as session:
        if database_ids is None:
            return [Outline(*row) for row in session.execute(query)]
        parts = [query.where(among(session, FeedbackRow.database_id, some)) for some in batches(database_ids)]
        return [Outline(*row) for part in parts for row in session.execute(part)]


def questions_with(store: Store, statuses: Iterable[str], database_id: str, word: str) -> list[tuple[str, str, str]]:
    """Return (feedback_id, status, question as in ``outlines``) where the question holds ``word`` in any case."""
    question = func.coalesce(FeedbackRow.checks["safe_question"].as_string(), FeedbackRow.natural_query)
    query = select(FeedbackRow.feedback_id, FeedbackRow.status, question).where(
        FeedbackRow.status.in_(list(statuses)),
        FeedbackRow.database_id == database_id,
        FeedbackRow.natural_query.icontains(word, autoescape=True),
    )
    with store.read() as session:
        return list(session.execute(query).tuples())


def submissions_around_pending(store: Store, window: timedelta) -> pa.Table:
    """Return what users with pending feedback submitted (SUBMISSION_TIMES), decided feedback included.

    From ``window`` before the first pending until ``window`` after the last; in no particular order.
    """
    moment, user = FeedbackRow.created_at, FeedbackRow.user_hash
    pending = FeedbackRow.status == Status.PENDING.value, user.is_not(None)
    with store.read() as session:
        first, last = session.execute(select(func.min(moment), func.max(moment)).where(*pending)).one()
        if first is None:
            return SUBMISSION_TIMES.empty_table()
        near = moment.between(first - window, last + window), user.in_(select(user).where(*pending))
        rows = session.execute(select(FeedbackRow.feedback_id, user, moment).where(*near)).all()
    columns = zip(zip(*rows, strict=True), SUBMISSION_TIMES, strict=True)
    return pa.table([pa.array(values, field.type) for values, field in columns], schema=SUBMISSION_TIMES)


def get_feedback(store: Store, feedback_id: str) -> dict[str, Any]:
    """Return one feedback as a dict with the keys of ``LISTED``, ``interaction_id`` and ``checks_key``.

    Under ``history`` stand its events, oldest first. Raises UnknownFeedbackError.
    """
    feedback = select(*LISTED, FeedbackRow.interaction_id, FeedbackRow.checks_key)
    history = select(*HISTORY).order_by(FeedbackEventRow.event_seq)
    with store.read() as session:
        row = session.execute(feedback.where(FeedbackRow.feedback_id == feedback_id)).mappings().one_or_none()
        if row is None:
            raise UnknownFeedbackError(feedback_id)
        events = session.execute(history.where(FeedbackEventRow.feedback_id == feedback_id)).mappings()
        return {**row, "history": [dict(event) for event in events]}


def count_by_status(store: Store) -> dict[str, int]:
    """Return the number of feedback in each status; all statuses are there, with 0 where there is none."""
    query = select(FeedbackRow.status, func.count()).group_by(FeedbackRow.status)
    with store.read() as session:
        counts = dict(session.execute(query).tuples().all())
    return {status.value: counts.get(status.value, 0) for status in Status}


def ids_by_status(store: Store, status: str, *, database_id: str | None = None) -> set[str]:
    """Return the ids of all feedback in one status, of one database where that is named."""
    with store.read() as session:
        return set(session.scalars(select(FeedbackRow.feedback_id).where(*_conditions(status, database_id))))


def checks_keys(store: Store, status: str, *, database_id: str | None = None) -> list[tuple[str, str, str | None]]:
    """Return (feedback_id, database_id, checks_key) of all feedback in one status; the key is null where unchecked."""
    query = select(FeedbackRow.feedback_id, FeedbackRow.database_id, FeedbackRow.checks_key)
    with store.read() as session:
        return list(session.execute(query.where(*_conditions(status, database_id))).tuples())


def count_by_source(store: Store) -> dict[str, int]:
    """Return the number of feedback from each source."""
    query = select(FeedbackRow.source, func.count()).group_by(FeedbackRow.source).order_by(FeedbackRow.source)
    with store.read() as session:
        return dict(session.execute(query).tuples().all())
