"""Keeping an example although its retirement is proposed. To retire it, reject the feedback behind it."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from feedback_pipeline.review.deciding import Reviewed
from feedback_pipeline.store import Store, UnknownFeedbackError
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.reservations import held, release_all, standing
from feedback_pipeline.store.retirements import keep as keep_examples
from feedback_pipeline.store.retirements import proposals_of


def keep(store: Store, feedback_ids: Iterable[str], *, reviewer: str, reason: str | None = None) -> list[Reviewed]:
    """Keep the examples behind feedback: a proposal does not come back until there is new evidence.

    Return one answer per distinct id: ``refused`` (``not_proposed``) where nothing is proposed, ``reserved`` where
    another reviewer has it. Raises StoreUnavailableError.
    """
    with store.begin() as session:
        return [_keep(session, i, reviewer, (reason or "").strip() or None) for i in dict.fromkeys(feedback_ids)]


def _keep(session: Session, feedback_id: str, reviewer: str, reason: str | None) -> Reviewed:
    row = rows_by_id(session, [feedback_id], FeedbackRow.status).get(feedback_id)
    if row is None:
        return Reviewed(feedback_id, "unknown", str(UnknownFeedbackError(feedback_id)), None)
    reservation = standing(session, [feedback_id]).get(feedback_id)
    if reservation is not None and reservation.reviewer != reviewer:
        return Reviewed(feedback_id, "reserved", held(reservation), row.status, "reserved")
    proposed = proposals_of(session, [feedback_id]).get(feedback_id, ())
    if not proposed:
        detail = "Its retirement is not proposed, so there is nothing to keep it from."
        return Reviewed(feedback_id, "refused", detail, row.status, "not_proposed")
    keep_examples(session, [one.example_id for one in proposed], reviewer=reviewer, reason=reason)
    release_all(session, [feedback_id])
    return Reviewed(feedback_id, "done", None, row.status)
