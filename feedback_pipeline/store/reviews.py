"""What each reviewer said about a feedback, kept beside what was decided: several may have to agree."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow, ReviewRow
from feedback_pipeline.store.transitions import Event

_COLUMNS = (ReviewRow.feedback_id, ReviewRow.reviewer, ReviewRow.verdict, ReviewRow.reason, ReviewRow.at)


@dataclass(frozen=True)
class Review:
    """One reviewer's word: ``verdict`` is ``verified`` or ``rejected``."""

    feedback_id: str
    reviewer: str
    verdict: str
    reason: str | None
    at: datetime


def note_reviews(session: Session, reviews: Iterable[Review]) -> None:
    """Append what reviewers said. The caller holds the lock ``events``."""
    rows = [asdict(review) for review in reviews]
    if rows:
        session.connection().execute(insert(ReviewRow), rows)


def reviews_of(store: Store, feedback_ids: Iterable[str]) -> dict[str, tuple[Review, ...]]:
    """Return the words that count about each of ``feedback_ids``, earliest first (see ``counting``)."""
    with store.read() as session:
        return counting(session, feedback_ids)


def counting(session: Session, feedback_ids: Iterable[str]) -> dict[str, tuple[Review, ...]]:
    """Return the words that count about each of ``feedback_ids`` that has any, earliest first.

    Of each reviewer the latest counts, and only what was said since the feedback was last reopened.
    """
    latest: dict[str, dict[str, Review]] = defaultdict(dict)
    for ids in batches(feedback_ids):
        query = select(*_COLUMNS).where(among(session, ReviewRow.feedback_id, ids)).order_by(ReviewRow.review_seq)
        reviews = [Review(*row) for row in session.execute(query)]
        reopened = _last_reopened(session, sorted({review.feedback_id for review in reviews}))
        for review in reviews:
            if review.feedback_id not in reopened or review.at > reopened[review.feedback_id]:
                latest[review.feedback_id].pop(review.reviewer, None)
                latest[review.feedback_id][review.reviewer] = review
    return {feedback_id: tuple(words.values()) for feedback_id, words in latest.items()}


def _last_reopened(session: Session, ids: list[str]) -> Mapping[str, datetime]:
    if not ids:
        return {}
    query = (
        select(FeedbackEventRow.feedback_id, func.max(FeedbackEventRow.at))
        .where(among(session, FeedbackEventRow.feedback_id, ids), FeedbackEventRow.event == Event.REOPENED.value)
        .group_by(FeedbackEventRow.feedback_id)
    )
    return dict(session.execute(query).tuples().all())


def reviews_since(store: Store, since: datetime, *, databases: frozenset[str] | None = None) -> list[Review]:
    """Return every word said since a moment, in the order they were said; with ``databases`` only about these."""
    query = select(*_COLUMNS).where(ReviewRow.at >= since).order_by(ReviewRow.review_seq)
    if databases is not None:
        about = select(FeedbackRow.feedback_id).where(FeedbackRow.database_id.in_(sorted(databases)))
        query = query.where(ReviewRow.feedback_id.in_(about))
    with store.read() as session:
        return [Review(*row) for row in session.execute(query)]
