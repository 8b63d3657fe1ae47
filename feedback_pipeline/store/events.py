"""The one place that writes feedback events, and what every writer of feedback shares."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.store.transitions import Event


class UnknownFeedbackError(LookupError):
    """No feedback has this id."""

    def __init__(self, feedback_id: str):
        self.feedback_id = feedback_id
        super().__init__(f"No feedback has the id {feedback_id}: check it against the list of feedback.")


def utc_now() -> datetime:
    """Return the present moment, UTC, in microseconds."""
    return datetime.now(UTC)


def event_row(
    feedback_id: str,
    event: Event,
    at: datetime,
    *,
    actor: str | None = None,
    reason: str | None = None,
    payload: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return one row for ``append_events``."""
    return {
        "feedback_id": feedback_id,
        "event": event.value,
        "actor": actor,
        "reason": reason,
        "payload": payload,
        "at": at,
    }


def append_events(session: Session, rows: list[dict[str, Any]]) -> None:
    """Append events in the order of ``rows``. The caller holds the lock ``events``."""
    if rows:
        session.connection().execute(insert(FeedbackEventRow), rows)


def rows_by_id(session: Session, feedback_ids: Iterable[str], *columns: Any) -> dict[str, Any]:
    """Return the rows (feedback_id, *columns) of those of ``feedback_ids`` that exist, by id."""
    found: dict[str, Any] = {}
    for ids in batches(feedback_ids):
        query = select(FeedbackRow.feedback_id, *columns).where(among(session, FeedbackRow.feedback_id, ids))
        found.update((row.feedback_id, row) for row in session.execute(query))
    return found
