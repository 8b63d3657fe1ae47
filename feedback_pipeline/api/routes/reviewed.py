"""What every route about one feedback of the queue has in common: whether the caller may see it, and who has it."""

from typing import Annotated, Any

from fastapi import Path

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.problems import ProblemError, responses
from feedback_pipeline.store import Store
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.reservations import Reservation, ReservedError, standing

ANSWERS = responses(401, 403, 404, 409)

FeedbackId = Annotated[str, Path(max_length=200, description="The id of a feedback.")]


def require_visible(feedback_id: str, caller: Caller, store: Store) -> Any:
    """Return status, database and question of a feedback. Raises ProblemError (404) for one the caller may not see."""
    columns = FeedbackRow.status, FeedbackRow.database_id, FeedbackRow.natural_query
    if feedback_id.isascii() and feedback_id.isprintable():
        with store.read() as session:
            row = rows_by_id(session, [feedback_id], *columns).get(feedback_id)
        if row is not None and caller.may_use(row.database_id):
            return row
    raise unknown()


def unknown() -> ProblemError:
    """Return the answer for what does not exist, or not for this caller."""
    return ProblemError(404, "There is no such feedback, or it is not for this caller.", code="unknown_feedback")


def reserved(detail: str, by: Reservation | ReservedError | None) -> ProblemError:
    """Return the answer for what another reviewer has, with the time until when."""
    return ProblemError(409, detail, code="reserved", until=by and by.until.isoformat())


def kept(store: Store, feedback_id: str) -> Reservation | None:
    """Return who has a feedback at the moment."""
    with store.read() as session:
        return standing(session, [feedback_id]).get(feedback_id)
