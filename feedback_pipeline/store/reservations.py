"""A reviewer has an item of the queue for themselves for some minutes; nobody else decides it meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import UnknownFeedbackError, utc_now
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackRow, ReservationRow

MAX_HELD = 20
"""So many items one reviewer may have at a time: nobody reads more, and others wait for them."""

_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True)
class Reservation:
    """Who has a feedback for themselves, and until when (UTC)."""

    feedback_id: str
    reviewer: str
    until: datetime


class ReservedError(RuntimeError):
    """Another reviewer has this feedback for themselves; the text names them and the time."""

    def __init__(self, reservation: Reservation):
        self.feedback_id, self.until = reservation.feedback_id, reservation.until
        super().__init__(held(reservation))


class TooManyReservedError(RuntimeError):
    """A reviewer has as many items for themselves as one may have; nothing was reserved."""

    def __init__(self) -> None:
        super().__init__(f"You have {MAX_HELD} items already: decide some of them, or give some back.")


def held(reservation: Reservation) -> str:
    """Say who has a feedback, and until when."""
    return f"{reservation.reviewer} has it until {reservation.until:%H:%M:%S} UTC: take another one, or wait."


def reserve(store: Store, feedback_id: str, reviewer: str, *, minutes: float) -> Reservation:
    """Let ``reviewer`` have a feedback for ``minutes``; again by the same reviewer extends it.

    Raises ReservedError while another one has it, TooManyReservedError where the reviewer has ``MAX_HELD`` others, and
    UnknownFeedbackError.
    """
    now = utc_now()
    wanted = {"feedback_id": feedback_id, "reviewer": reviewer, "until": now + timedelta(minutes=minutes)}
    with store.begin() as session:
        lock(session, "reservations")
        if session.scalar(select(FeedbackRow.feedback_id).where(FeedbackRow.feedback_id == feedback_id)) is None:
            raise UnknownFeedbackError(feedback_id)
        if _others_held(session, feedback_id, reviewer, now) >= MAX_HELD:
            raise TooManyReservedError
        row = session.execute(_take(session.get_bind().dialect.name, wanted, now)).one_or_none()
        if row is None:
            raise ReservedError(standing(session, [feedback_id])[feedback_id])
    return Reservation(*row)


def _others_held(session: Session, feedback_id: str, reviewer: str, now: datetime) -> int:
    theirs = ReservationRow.reviewer == reviewer, ReservationRow.until > now
    query = select(func.count()).select_from(ReservationRow).where(*theirs, ReservationRow.feedback_id != feedback_id)
    return session.scalar(query) or 0


def _take(dialect: str, wanted: dict[str, Any], now: datetime) -> Any:
    """Return one statement that takes what is free, expired or one's own, so that of two at once one gets it."""
    may_take = or_(ReservationRow.until <= now, ReservationRow.reviewer == wanted["reviewer"])
    update = {"reviewer": wanted["reviewer"], "until": wanted["until"]}
    statement = _INSERT[dialect](ReservationRow).values(wanted)
    taken = statement.on_conflict_do_update(index_elements=["feedback_id"], set_=update, where=may_take)
    return taken.returning(ReservationRow.feedback_id, ReservationRow.reviewer, ReservationRow.until)


def release(store: Store, feedback_id: str, reviewer: str) -> bool:
    """Give back what ``reviewer`` has reserved; tell whether there was something to give back."""
    mine = ReservationRow.feedback_id == feedback_id, ReservationRow.reviewer == reviewer
    statement = delete(ReservationRow).where(*mine).returning(ReservationRow.until)
    with store.begin() as session:
        until = session.scalar(statement)
    return until is not None and until > utc_now()


def release_all(session: Session, feedback_ids: Iterable[str]) -> None:
    """Drop the reservations of feedback that has been decided."""
    for ids in batches(feedback_ids):
        session.execute(delete(ReservationRow).where(among(session, ReservationRow.feedback_id, ids)))


def drop_expired(store: Store) -> int:
    """Remove reservations that have run out, and return how many there were."""
    expired = delete(ReservationRow).where(ReservationRow.until <= utc_now()).returning(ReservationRow.feedback_id)
    with store.read() as session:
        any_expired = session.scalar(select(ReservationRow.feedback_id).where(ReservationRow.until <= utc_now()))
    if any_expired is None:
        return 0
    with store.begin() as session:
        return len(session.scalars(expired).all())


def standing(session: Session, feedback_ids: Iterable[str]) -> dict[str, Reservation]:
    """Return the reservations of ``feedback_ids`` that have not run out."""
    columns = ReservationRow.feedback_id, ReservationRow.reviewer, ReservationRow.until
    now = utc_now()
    found: dict[str, Reservation] = {}
    for ids in batches(feedback_ids):
        query = select(*columns).where(among(session, ReservationRow.feedback_id, ids), ReservationRow.until > now)
        found |= {row.feedback_id: Reservation(*row) for row in session.execute(query)}
    return found
