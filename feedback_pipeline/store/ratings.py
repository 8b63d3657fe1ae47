"""Thumbs up or down on an answer: whose answer it may be, and what a later rating does."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import utc_now
from feedback_pipeline.store.interactions import UnknownInteractionError, validate_rating
from feedback_pipeline.store.lookups import among
from feedback_pipeline.store.models import InteractionRow
from feedback_pipeline.store.opt_outs import OptedOutError, opted_out_of

_RATED = (InteractionRow.user_hash, InteractionRow.feedback, InteractionRow.feedback_reason)


@dataclass(frozen=True)
class Speaker:
    """Who says something through an interface. Answers to somebody else do not exist for them.

    Attributes:
        user_hash: of the user; None where only the product knows who it is.
        databases: whose answers exist for them, besides those that belong to no database; None for all.

    """

    user_hash: str | None
    databases: frozenset[str] | None = None


def rate(
    store: Store, interaction_id: int, rating: int, reason: str | None = None, *, by: Speaker | None = None
) -> None:
    """Set the rating of an interaction to 1 or -1; a later rating replaces an earlier one, the same changes nothing.

    With ``by`` an interaction that does not exist for them is unknown. Raises ValueError for any other rating,
    UnknownInteractionError, and OptedOutError where its user, or who rates it, has opted out.
    """
    validate_rating(f"interaction {interaction_id}", rating)
    now = utc_now()
    values = {"feedback": rating, "feedback_reason": reason, "rated_at": now, "rating_recorded_at": now}
    this = InteractionRow.interaction_id == interaction_id
    with store.begin() as session:
        lock(session, "interactions")
        rated = session.connection().execute(select(*_RATED).where(this, *existing_for(session, by))).one_or_none()
        if opted_out_of(session, [by.user_hash if by else None, rated.user_hash if rated else None]):
            raise OptedOutError(f"the user of interaction {interaction_id} has opted out: the rating was not stored.")
        if rated is None:
            raise UnknownInteractionError(interaction_id)
        if (rated.feedback, rated.feedback_reason) != (rating, reason):
            session.connection().execute(update(InteractionRow).where(this).values(values))


def existing_for(session: Session, speaker: Speaker | None) -> list[ColumnElement[bool]]:
    """Return the conditions that an interaction exists for ``speaker``; for None all do."""
    if speaker is None:
        return []
    theirs = InteractionRow.user_hash.is_(None)
    if speaker.user_hash is not None:
        theirs = or_(theirs, InteractionRow.user_hash == speaker.user_hash)
    if speaker.databases is None:
        return [theirs]
    allowed = among(session, InteractionRow.database_id, sorted(speaker.databases))
    return [theirs, or_(InteractionRow.database_id.is_(None), allowed)]
