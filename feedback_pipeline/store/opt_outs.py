"""Users who want no part in it: what they gave is withdrawn at once, and nothing of theirs gets in any more."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import append_events, event_row, utc_now
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackRow, InteractionRow, OptOutRow
from feedback_pipeline.store.transitions import Event, Status

ACTOR = "user"
REASON = "opted out"


class OptedOutError(ValueError):
    """A user who has opted out said something; it was not stored."""


@dataclass(frozen=True)
class OptOut:
    """What an opt-out did: ``known`` if the user had opted out before, and the feedback withdrawn by this call."""

    known: bool
    withdrawn: list[str]


def opt_out(store: Store, user_hash: str) -> OptOut:
    """Note that a user opted out and withdraw everything they gave, in one transaction; again changes nothing."""
    with store.begin() as session:
        lock_intake(session)
        known = note_opt_out(session, user_hash)
        return OptOut(known, withdraw_all(session, user_hash, REASON))


def undo_opt_out(store: Store, user_hash: str) -> bool:
    """Accept feedback of a user again and tell whether they had opted out; what was withdrawn stays withdrawn."""
    with store.begin() as session:
        lock_intake(session)
        statement = delete(OptOutRow).where(OptOutRow.user_hash == user_hash).returning(OptOutRow.user_hash)
        return session.scalar(statement) is not None


def opted_out_users(store: Store) -> set[str]:
    """Return the hashes of all users who have opted out."""
    with store.read() as session:
        return set(session.scalars(select(OptOutRow.user_hash)))


def opted_out_of(session: Session, user_hashes: Iterable[str | None]) -> set[str]:
    """Return those of ``user_hashes`` who have opted out. Writers hold the lock of what they write."""
    asked = sorted({user_hash for user_hash in user_hashes if user_hash is not None})
    found: set[str] = set()
    for some in batches(asked):
        query = select(OptOutRow.user_hash).where(among(session, OptOutRow.user_hash, some))
        found.update(session.connection().execute(query).scalars())
    return found


def lock_intake(session: Session) -> None:
    """Let nobody store feedback or interactions until the end of the transaction: nothing may slip in beside it."""
    lock(session, "events")
    lock(session, "interactions")


def note_opt_out(session: Session, user_hash: str) -> bool:
    """Write the row, and tell whether it was there before. The caller holds ``lock_intake``."""
    known = session.get(OptOutRow, user_hash) is not None
    if not known:
        session.add(OptOutRow(user_hash=user_hash, created_at=utc_now()))
    return known


def given_by(user_hash: str) -> ColumnElement[bool]:
    """Return the condition that feedback is of a user: signed by them, or unsigned and about an answer they got."""
    theirs = select(InteractionRow.interaction_id).where(InteractionRow.user_hash == user_hash)
    unsigned = and_(FeedbackRow.user_hash.is_(None), FeedbackRow.interaction_id.in_(theirs))
    return or_(FeedbackRow.user_hash == user_hash, unsigned)


def withdraw_all(session: Session, user_hash: str, reason: str) -> list[str]:
    """Withdraw all feedback of a user that is not yet so, and return its ids. The caller holds ``lock_intake``."""
    now = utc_now()
    statement = (
        update(FeedbackRow)
        .where(given_by(user_hash), FeedbackRow.status != Status.WITHDRAWN.value)
        .values(status=Status.WITHDRAWN.value, status_reason=reason, updated_at=now)
        .returning(FeedbackRow.feedback_id)
    )
    withdrawn = sorted(session.connection().execute(statement).scalars())
    append_events(session, [event_row(i, Event.WITHDRAWN, now, actor=ACTOR, reason=reason) for i in withdrawn])
    return withdrawn
