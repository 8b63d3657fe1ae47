"""What was decided about many feedbacks at once, for whoever explains what has become of them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackEventRow
from feedback_pipeline.store.transitions import Event


class PastEvent(NamedTuple):
    """One thing that happened to a feedback."""

    event: str
    actor: str | None
    reason: str | None
    at: datetime


def histories(store: Store, feedback_ids: Iterable[str]) -> dict[str, list[PastEvent]]:
    """Return the events of those of ``feedback_ids`` that exist, oldest first; those of checks are left out.

    Raises StoreUnavailableError.
    """
    columns = (FeedbackEventRow.event, FeedbackEventRow.actor, FeedbackEventRow.reason, FeedbackEventRow.at)
    query = select(FeedbackEventRow.feedback_id, *columns).where(FeedbackEventRow.event != Event.CHECKED.value)
    found: dict[str, list[PastEvent]] = {}
    with store.read() as session:
        for ids in batches(sorted(set(feedback_ids))):
            some = query.where(among(session, FeedbackEventRow.feedback_id, ids)).order_by(FeedbackEventRow.event_seq)
            for feedback_id, *event in session.execute(some):
                found.setdefault(feedback_id, []).append(PastEvent(*event))
    return found
