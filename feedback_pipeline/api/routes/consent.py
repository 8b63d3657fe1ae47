"""A user wants no part in it, or takes everything back that they gave."""

import logging

from fastapi import APIRouter, Response

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.auth.guard import UserCaller
from feedback_pipeline.api.documents.consent import ErasureAccepted, ErasureState, OptedIn, OptedOut, state_of
from feedback_pipeline.api.problems import RETRY_AFTER_S, ProblemError, responses
from feedback_pipeline.api.routes.intake import known_user_of
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.example_index.catalog import IndexCatalog, IndexNotFoundError
from feedback_pipeline.example_index.removal import take_out
from feedback_pipeline.store import opt_out, records_of, request_erasure, undo_opt_out
from feedback_pipeline.store.erasures import erasures_of

ERASURE = "erasure"
STATUS_URL = "/feedback/mine/erasure"

log = logging.getLogger(__name__)
router = APIRouter(responses=responses(401, 403))


@router.post("/feedback/opt-out")
def opt_out_of_it(caller: UserCaller, services: Serving) -> OptedOut:
    """Stop using what the caller gave, at once, and accept nothing from them any more.

    It is withdrawn and leaves the live index with this call; it stays stored until `DELETE /feedback/mine`. Calling
    again changes nothing.
    """
    user_hash = _user_hash(caller, services)
    done = opt_out(services.store, user_hash)
    removed = _take_out(services, user_hash, "The opt-out is noted and everything withdrawn")
    return OptedOut(known_before=done.known, withdrawn=len(done.withdrawn), examples_taken_out=removed)


@router.delete("/feedback/opt-out")
def opt_in_again(caller: UserCaller, services: Serving) -> OptedIn:
    """Accept feedback of the caller again. What was withdrawn stays withdrawn."""
    return OptedIn(known_before=undo_opt_out(services.store, _user_hash(caller, services)))


@router.delete(
    "/feedback/mine",
    status_code=202,
    responses={202: {"headers": {"Location": {"schema": {"type": "string"}, "description": "How far it is."}}}},
)
def erase_mine(
    caller: UserCaller, services: Serving, response: Response, keep_consent: bool = False
) -> ErasureAccepted:
    """Erase everything the caller ever gave: store, tables, index, releases, caches and run history.

    With this call it is withdrawn and out of the live index; a run in the background removes it everywhere and leaves a
    receipt. The caller is opted out too, or the next import of a file that holds their feedback would bring it back;
    with `keep_consent` they are not, and what they give from now on is stored. Calling again takes up the erasure that
    is under way.
    """
    user_hash = _user_hash(caller, services)
    erasure = request_erasure(services.store, user_hash, keep_consent=keep_consent)
    try:
        removed = _take_out(services, user_hash, "Everything is withdrawn and the erasure is under way")
    finally:
        # Asked for behind the first removal, since both wait for the same lock, and whatever became of it.
        services.runs.request(ERASURE)
    response.headers["Location"] = STATUS_URL
    return ErasureAccepted(
        erasure_id=erasure.erasure_id,
        state=state_of(erasure),
        consent="kept" if keep_consent else "withdrawn",
        examples_taken_out=removed,
        status_url=STATUS_URL,
    )


@router.get(STATUS_URL, responses=responses(404))
def erasure_of_mine(caller: UserCaller, services: Serving) -> ErasureState:
    """Tell how far the caller's latest erasure is, and what it removed."""
    erasures = erasures_of(services.store, _user_hash(caller, services))
    if not erasures:
        raise ProblemError(
            404, "Nothing of this caller was erased: DELETE /feedback/mine does.", code="unknown_erasure"
        )
    return ErasureState.of(erasures[-1])


def _user_hash(caller: Caller, services: Services) -> str:
    """Return whose consent it is. Raises ProblemError (403) where a backend may not speak of all they gave."""
    user_id = known_user_of(caller)
    if caller.on_behalf and caller.databases is not None:
        detail = (
            "Consent concerns what the user gave about every database, and this token is limited to some: send the "
            "user's own token, or one without the claim databases."
        )
        raise ProblemError(403, detail, code="databases_limited")
    return services.store.hash_user(user_id)


def _take_out(services: Services, user_hash: str, done: str) -> int:
    """Take everything of a user out of the live index, also what a call before this one left in it.

    Raises ProblemError (503) that says what is ``done`` already where the index cannot be written just now.
    """
    theirs = frozenset(records_of(services.store, user_hash)["feedback_ids"])
    settings = services.settings
    try:
        published = take_out(IndexCatalog(settings.storage_root), theirs)
    except (IndexNotFoundError, RuntimeError, ValueError, OSError) as error:
        # LanceDB has no errors of its own: these are what a damaged or unreachable index raises.
        log.exception("the live index could not be written")
        detail = f"{done}, but the live index could not be written. Send the request again."
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise ProblemError(503, detail, code="index_unavailable", headers=headers) from error
    return published.removed if published else 0
