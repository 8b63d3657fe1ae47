"""One feedback whole: what a reviewer needs before deciding it."""

from dataclasses import dataclass
from typing import Any

from feedback_pipeline.policy import claims_by_id
from feedback_pipeline.review.conflicts import Rival, rivals_of
from feedback_pipeline.review.queue import QueueItem, queue_items
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Status, Store, UnknownFeedbackError, get_feedback
from feedback_pipeline.store.reservations import Reservation
from feedback_pipeline.store.retirements import in_use_behind
from feedback_pipeline.store.reviews import Review

_CLAIMING = frozenset({Status.PENDING, Status.VERIFIED, Status.APPLIED})


@dataclass(frozen=True)
class ReviewItem:
    """One feedback with its evidence.

    Attributes:
        feedback: as ``store.get_feedback`` gives it, with its history.
        flags: what a person should look at, as the checks say.
        rivals: all answers to its question where they contradict each other, its own among them.
        reviews: the words of reviewers that count, earliest first.
        reservation: who has it for themselves at the moment.
        needed: reviewers who have to agree.
        queue: the same feedback as the queue shows it.
        beside: other feedback in use behind the examples that are proposed for retirement.

    """

    feedback: dict[str, Any]
    flags: tuple[str, ...]
    rivals: tuple[Rival, ...]
    reviews: tuple[Review, ...]
    reservation: Reservation | None
    needed: int
    queue: QueueItem
    beside: tuple[str, ...] = ()


def open_item(store: Store, settings: Settings, feedback_id: str) -> ReviewItem:
    """Return one feedback whole; one that waits and has no verdict of today is checked first.

    Raises UnknownFeedbackError and StoreUnavailableError.
    """
    seen = queue_items(store, [feedback_id])
    if not seen:
        raise UnknownFeedbackError(feedback_id)
    rivals: tuple[Rival, ...] = ()
    if seen[0].status in _CLAIMING:
        for claim in claims_by_id(store, settings, {feedback_id: seen[0].status}):
            rivals = rivals_of(store, settings, claim, seen[0].natural_query)
    feedback = get_feedback(store, feedback_id)
    [item] = queue_items(store, [feedback_id])
    return ReviewItem(
        feedback=feedback,
        flags=item.flags,
        rivals=rivals,
        reviews=item.verdicts,
        reservation=_reservation(item),
        needed=settings.reviewers_per_item,
        queue=item,
        beside=_beside(store, item),
    )


def _beside(store: Store, item: QueueItem) -> tuple[str, ...]:
    if not item.retirements:
        return ()
    with store.read() as session:
        behind = in_use_behind(session, [proposal.example_id for proposal in item.retirements])
    return tuple(sorted(behind - {item.feedback_id}))


def _reservation(item: QueueItem) -> Reservation | None:
    if item.reserved_by is None or item.reserved_until is None:
        return None
    return Reservation(item.feedback_id, item.reserved_by, item.reserved_until)
