"""Answers a product gave, with what was retrieved for them."""

from fastapi import APIRouter, Response

from feedback_pipeline.api.auth.caller import Caller, Role
from feedback_pipeline.api.auth.guard import UserCaller
from feedback_pipeline.api.documents.interactions import CompletedInteraction, RecordedInteraction
from feedback_pipeline.api.problems import responses
from feedback_pipeline.api.routes.intake import (
    REPLAYED,
    IdempotencyKey,
    client_key_of,
    refusals,
    require_database,
    user_of,
)
from feedback_pipeline.api.services import Serving
from feedback_pipeline.intake.validation import Limits
from feedback_pipeline.store import record_once

NOT_STORED = {
    "description": "Its user has opted out, so nothing was stored; the product goes on.",
    "model": RecordedInteraction,
}
STORED = {
    "description": "The interaction is stored.",
    "headers": {
        REPLAYED: {"schema": {"const": "true"}, "description": "Only where the same key had brought it before."}
    },
}

router = APIRouter(tags=["interactions"])


@router.post(
    "/interactions",
    status_code=201,
    response_model=RecordedInteraction,
    responses={200: NOT_STORED, 201: STORED, **responses(401, 403, 404)},
)
def record_interaction(
    answered: CompletedInteraction,
    caller: UserCaller,
    services: Serving,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RecordedInteraction:
    """Record a completed generation or answer, with the chunks and the examples that were retrieved for it.

    It belongs to the caller, who alone may rate it; where a backend or an admin does not name a user (`On-Behalf-Of`),
    to nobody known, and whoever may use its database may rate it. Send an `Idempotency-Key` with every retry.
    """
    require_database(caller, answered.database_id)
    store, limits = services.store, Limits.of(services.settings)
    with refusals():
        key = client_key_of(caller, store, idempotency_key)
        recorded = record_once(store, answered.interaction(limits, user_id=_asker(caller), client_key=key))
    if not recorded.stored:
        response.status_code = 200
    if recorded.replayed:
        response.headers[REPLAYED] = "true"
    return RecordedInteraction(interaction_id=recorded.interaction_id, stored=recorded.stored)


def _asker(caller: Caller) -> str | None:
    """Return whose question it was: an admin's token records those of others too."""
    return None if caller.has(Role.ADMIN) else user_of(caller)
