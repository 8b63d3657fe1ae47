"""What users say: ratings and corrections; in ``consent``, opting out and taking everything back."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.auth.guard import UserCaller
from feedback_pipeline.api.documents.feedback import Correction, Feedback, FeedbackEntry, Rating
from feedback_pipeline.api.problems import responses
from feedback_pipeline.api.routes import consent
from feedback_pipeline.api.routes.intake import (
    REPLAYED,
    FeedbackRoute,
    IdempotencyKey,
    client_key_of,
    refusals,
    require_database,
    speaker_of,
    user_of,
)
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.intake.validation import Limits
from feedback_pipeline.store import Entry, Submission, rate, submit_once

RATED = {204: {"description": "The rating is stored."}}
ENTRY_HEADERS = {
    "Location": {"schema": {"type": "string"}, "description": "Where its status is told."},
    REPLAYED: {"schema": {"const": "true"}, "description": "Only where the same key had brought it before."},
}
CREATED = {201: {"description": "The correction is stored and waits to be reviewed.", "headers": ENTRY_HEADERS}}

router = APIRouter(tags=["feedback"], route_class=FeedbackRoute)
router.include_router(consent.router)


@router.post(
    "/feedback",
    status_code=201,
    response_model=FeedbackEntry,
    responses={**CREATED, **RATED, **responses(401, 403, 404)},
)
def give_feedback(
    feedback: Annotated[Feedback, Body()],
    caller: UserCaller,
    services: Serving,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> FeedbackEntry | Response:
    """Rate an answer, or correct one.

    A body that names a `database_id` or a `natural_query` is a correction, any other a rating. An answer whose user is
    known can be rated and corrected by that user alone; for all others it does not exist. Sent again with the same
    `Idempotency-Key`, a correction is stored once and answered as it stands now; a rating can be repeated without one.
    """
    if isinstance(feedback, Rating):
        store = services.store
        rate(store, feedback.interaction_id, feedback.rating, feedback.reason, by=speaker_of(caller, store))
        return Response(status_code=204)
    item, entry = _correct(feedback, caller, services, idempotency_key)
    response.headers["Location"] = f"/feedback/{entry.feedback_id}"
    if entry.replayed:
        response.headers[REPLAYED] = "true"
    return FeedbackEntry.of(item, entry)


def _correct(correction: Correction, caller: Caller, services: Services, key: str | None) -> tuple[Submission, Entry]:
    require_database(caller, correction.database_id)
    store, limits = services.store, Limits.of(services.settings)
    with refusals():
        item = correction.submission(limits, user_id=user_of(caller), client_key=client_key_of(caller, store, key))
        return item, submit_once(store, item, databases=caller.databases)
