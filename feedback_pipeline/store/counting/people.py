"""Who gave feedback, as counts without anybody's hash, and who decided about it."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.counting.statuses import DECIDED
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow, ReviewRow
from feedback_pipeline.store.types import UtcDay


class Decided(NamedTuple):
    """So often ``actor`` verified or rejected on one day."""

    day: date
    actor: str | None
    verdict: str
    number: int


def submissions_per_user(session: Session, scope: Scope) -> tuple[dict[int, int], int]:
    """Return how many users submitted so many feedbacks since, and how much feedback names no user.

    ``{3: 2}`` says that two users gave three each.
    """
    per_user = (
        scope.submissions(FeedbackRow.user_hash.is_(None).label("is_nobody"), func.count().label("submitted"))
        .group_by(FeedbackRow.user_hash)
        .subquery()
    )
    columns = per_user.c.is_nobody, per_user.c.submitted
    counts = session.execute(select(*columns, func.count()).group_by(*columns)).all()
    of_users = {submitted: users for is_nobody, submitted, users in counts if not is_nobody}
    return dict(sorted(of_users.items())), sum(submitted for is_nobody, submitted, _ in counts if is_nobody)


def decisions(session: Session, scope: Scope) -> list[Decided]:
    """Return how often each actor verified and rejected on each day since."""
    day, events = UtcDay(FeedbackEventRow.at), FeedbackEventRow
    wanted = [event.value for event in DECIDED]
    query = scope.events(day, events.actor, events.event, func.count()).where(events.event.in_(wanted))
    return [Decided(*row) for row in session.execute(query.group_by(day, events.actor, events.event))]


def noted_words(session: Session, scope: Scope) -> list[Decided]:
    """Return how often each reviewer gave a word that alone decided nothing, because others have to agree."""
    day, reviews, events = UtcDay(ReviewRow.at), ReviewRow, FeedbackEventRow
    decided = exists().where(
        events.feedback_id == reviews.feedback_id, events.actor == reviews.reviewer, events.event == reviews.verdict
    )
    query = select(day, reviews.reviewer, reviews.verdict, func.count()).where(
        reviews.at >= scope.since, scope.includes_feedback(reviews.feedback_id), ~decided
    )
    return [Decided(*row) for row in session.execute(query.group_by(day, reviews.reviewer, reviews.verdict))]
