"""Feedback in pages, newest first, for those who gave it and for reviewers."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.opt_outs import given_by
from feedback_pipeline.store.transitions import Status

ENTRY = (
    FeedbackRow.feedback_id,
    FeedbackRow.status,
    FeedbackRow.status_reason,
    FeedbackRow.database_id,
    FeedbackRow.natural_query,
    FeedbackRow.rating,
    FeedbackRow.interaction_id,
    FeedbackRow.created_at,
    FeedbackRow.updated_at,
)

Place = tuple[datetime, str]
"""(created_at, feedback_id) of the last entry of a page: where the next one begins."""


def feedback_page(
    store: Store,
    *,
    limit: int,
    user_hash: str | None = None,
    databases: Collection[str] | None = None,
    status: str | None = None,
    after: Place | None = None,
) -> list[dict[str, Any]]:
    """Return up to ``limit`` feedbacks as dicts with the keys of ``ENTRY``, newest first, those that come ``after``.

    With ``user_hash`` only what this user gave, with ``databases`` only what is about these. Raises ValueError for a
    status that does not exist, and StoreUnavailableError.
    """
    conditions: list[ColumnElement[bool]] = []
    if user_hash is not None:
        conditions.append(given_by(user_hash))
    if databases is not None:
        conditions.append(FeedbackRow.database_id.in_(sorted(databases)))
    if status is not None:
        conditions.append(FeedbackRow.status == Status(status).value)
    if after is not None:
        conditions.append(_older_than(after))
    order = FeedbackRow.created_at.desc(), FeedbackRow.feedback_id.desc()
    with store.read() as session:
        return [
            dict(row)
            for row in session.execute(select(*ENTRY).where(*conditions).order_by(*order).limit(limit)).mappings()
        ]


def _older_than(place: Place) -> ColumnElement[bool]:
    moment, feedback_id = place
    same_moment = and_(FeedbackRow.created_at == moment, FeedbackRow.feedback_id < feedback_id)
    # The first condition alone is what an index can be entered by.
    return and_(FeedbackRow.created_at <= moment, or_(FeedbackRow.created_at < moment, same_moment))
