"""Reading feedback, for people and for the interfaces they use. The pipeline reads through ``feed``."""

from typing import Any

from sqlalchemy import func, select

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.events import UnknownFeedbackError
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.store.transitions import Status

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


def list_feedback(
    store: Store,
    *,
    status: str | None = None,
    database_id: str | None = None,
    limit: int | None = None,
    source: str | None = None,
) -> list[dict[str, Any]]:
    """Return feedback as dicts with the keys of ``LISTED``, oldest first, at most ``limit``.

    Raises ValueError for a status that does not exist.
    """
    wanted = {
        FeedbackRow.status: None if status is None else Status(status).value,
        FeedbackRow.database_id: database_id,
        FeedbackRow.source: source,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    query = select(*LISTED).where(*conditions).order_by(FeedbackRow.created_at, FeedbackRow.feedback_id)
    with store.read() as session:
        return [dict(row) for row in session.execute(query.limit(limit)).mappings()]


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


def ids_by_status(store: Store, status: str) -> set[str]:
    """Return the ids of all feedback in one status."""
    with store.read() as session:
        return set(session.scalars(select(FeedbackRow.feedback_id).where(FeedbackRow.status == status)))


def count_by_source(store: Store) -> dict[str, int]:
    """Return the number of feedback from each source."""
    query = select(FeedbackRow.source, func.count()).group_by(FeedbackRow.source).order_by(FeedbackRow.source)
    with store.read() as session:
        return dict(session.execute(query).tuples().all())
