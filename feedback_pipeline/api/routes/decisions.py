"""What reviewers decide about feedback, one by one and in bulk."""

from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Body, Response

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.auth.guard import AdminCaller, ReviewerCaller
from feedback_pipeline.api.documents import decisions as documents
from feedback_pipeline.api.documents.review import ReviewWord
from feedback_pipeline.api.problems import ProblemError, responses
from feedback_pipeline.api.routes.intake import refusals
from feedback_pipeline.api.routes.reviewed import ANSWERS, FeedbackId, kept, require_visible, reserved, unknown
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.intake.validation import Limits, read_correction
from feedback_pipeline.review import bulk, deciding, editing, retirement
from feedback_pipeline.review.deciding import Reviewed
from feedback_pipeline.review.editing import Edited
from feedback_pipeline.review.edits import SOURCE
from feedback_pipeline.store import Status, Store
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.reviews import reviews_of

PROMOTE = "promote_verified"

router = APIRouter(tags=["review"])


@router.post("/feedback/bulk-verify", responses=responses(401, 403))
def bulk_verify(
    order: Annotated[documents.BulkOrder, Body()], caller: AdminCaller, services: Serving
) -> documents.BulkAnswer:
    """Verify all that passes its checks and that nothing speaks against; say for each other what does.

    What is flagged, part of a burst or rated low waits for a person: verify it by its id. Sent again, it finds what is
    verified already.
    """
    results = bulk.bulk_verify(
        services.store,
        services.settings,
        reviewer=caller.subject,
        feedback_ids=order.feedback_ids,
        wanted=None if order.filter is None else order.filter.wanted(caller.databases),
        databases=caller.databases,
        reason=order.reason,
        dry_run=order.dry_run,
    )
    counts = Counter(dict.fromkeys(get_args(bulk.Result), 0))
    counts.update(result.result for result in results)
    entries = [documents.BulkEntry.of(result) for result in results]
    return documents.BulkAnswer(dry_run=order.dry_run, results=entries, counts=dict(counts))


@router.post("/feedback/{feedback_id}/verify", responses=ANSWERS)
def verify(
    feedback_id: FeedbackId,
    caller: ReviewerCaller,
    services: Serving,
    order: Annotated[documents.Verification | None, Body()] = None,
) -> documents.Decided:
    """Verify a feedback: it is right and may be learned from. What has not been checked yet is checked first."""
    order = order or documents.Verification()
    return _decide(deciding.verify, feedback_id, caller, services, order, override=order.override)


@router.post("/feedback/{feedback_id}/reject", responses=ANSWERS)
def reject(
    feedback_id: FeedbackId,
    caller: ReviewerCaller,
    services: Serving,
    order: Annotated[documents.Rejection, Body()],
) -> documents.Decided:
    """Reject a feedback: it is wrong and must not be learned from."""
    return _decide(deciding.reject, feedback_id, caller, services, order)


@router.post("/feedback/{feedback_id}/supersede", responses=ANSWERS)
def supersede(
    feedback_id: FeedbackId,
    caller: ReviewerCaller,
    services: Serving,
    order: Annotated[documents.Order | None, Body()] = None,
) -> documents.Decided:
    """Supersede a feedback: a newer answer to the same question takes its place."""
    return _decide(deciding.supersede, feedback_id, caller, services, order or documents.Order())


@router.post("/feedback/{feedback_id}/reopen", responses=ANSWERS)
def reopen(
    feedback_id: FeedbackId,
    caller: ReviewerCaller,
    services: Serving,
    order: Annotated[documents.Order | None, Body()] = None,
) -> documents.Decided:
    """Reopen a feedback: it waits again, and what reviewers have said before does not count any more."""
    return _decide(deciding.reopen, feedback_id, caller, services, order or documents.Order())


@router.post("/feedback/{feedback_id}/keep", responses=ANSWERS)
def keep(
    feedback_id: FeedbackId,
    caller: ReviewerCaller,
    services: Serving,
    order: Annotated[documents.Keeping | None, Body()] = None,
) -> documents.Decided:
    """Keep what is proposed for retirement: the proposal does not come back until there is new evidence.

    To retire it instead, reject it.
    """
    require_visible(feedback_id, caller, services.store)
    reason = order.reason if order else None
    [kept_now] = retirement.keep(services.store, [feedback_id], reviewer=caller.subject, reason=reason)
    _raise_unless_done(kept_now, feedback_id, services.store)
    return _decided(feedback_id, kept_now, services.store)


@router.post("/feedback/{feedback_id}/edit", responses=ANSWERS)
def edit(
    feedback_id: FeedbackId, caller: ReviewerCaller, services: Serving, order: Annotated[documents.Edit, Body()]
) -> documents.EditDecided:
    """Give a feedback a better answer and verify that: it becomes a feedback of the same user, and supersedes this."""
    row = require_visible(feedback_id, caller, services.store)
    with refusals():
        asked = {"database_id": row.database_id, "natural_query": order.natural_query or row.natural_query}
        texts = read_correction({**asked, "corrected_sql": order.corrected_sql}, SOURCE, Limits.of(services.settings))
    edited = editing.edit_and_verify(
        services.store,
        services.settings,
        feedback_id,
        reviewer=caller.subject,
        corrected_sql=texts.corrected_sql or "",
        natural_query=None if order.natural_query is None else texts.natural_query,
        reason=order.reason,
        override=order.override,
        expected=order.expected_status,
    )
    _raise_unless_done(edited, feedback_id, services.store)
    decided = _decided(edited.feedback_id or "", edited, services.store)
    return documents.EditDecided(**decided.model_dump(), original_id=feedback_id)


@router.post(
    "/feedback/{feedback_id}/apply",
    responses={202: {"model": documents.ApplyState, "description": "A run has been asked for."}, **ANSWERS},
)
def apply(
    feedback_id: FeedbackId, caller: ReviewerCaller, services: Serving, response: Response
) -> documents.ApplyState:
    """Have a verified feedback put into the live index now, instead of at the next tick of the pipeline."""
    row = require_visible(feedback_id, caller, services.store)
    if row.status == Status.APPLIED:
        version = services.live_membership.version_with(feedback_id)
        return documents.ApplyState(feedback_id=feedback_id, state="applied", index_version=version)
    if row.status != Status.VERIFIED:
        detail = f"It is {row.status}: only what is verified can be applied."
        raise ProblemError(409, detail, code="illegal_transition")
    services.runs.request(PROMOTE)
    response.status_code = 202
    return documents.ApplyState(feedback_id=feedback_id, state="requested", index_version=None)


def _decide(
    decide: Callable[..., list[Reviewed]],
    feedback_id: str,
    caller: Caller,
    services: Services,
    order: documents.Order,
    **more: Any,
) -> documents.Decided:
    require_visible(feedback_id, caller, services.store)
    [reviewed] = decide(
        services.store,
        services.settings,
        [feedback_id],
        reviewer=caller.subject,
        reason=order.reason,
        expected=order.expected_status,
        **more,
    )
    _raise_unless_done(reviewed, feedback_id, services.store)
    return _decided(feedback_id, reviewed, services.store)


def _raise_unless_done(answer: Reviewed | Edited, feedback_id: str, store: Store) -> None:
    """Raise ProblemError (409, 404) where nothing was decided or noted."""
    detail = answer.detail or "It cannot be decided so."
    if answer.outcome == "unknown":
        raise unknown()
    if answer.outcome == "reserved":
        raise reserved(detail, kept(store, feedback_id))
    if answer.outcome == "refused":
        raise ProblemError(409, detail, code=answer.code or "refused")


def _decided(feedback_id: str, answer: Reviewed | Edited, store: Store) -> documents.Decided:
    with store.read() as session:
        row = rows_by_id(session, [feedback_id], FeedbackRow.status).get(feedback_id)
    if row is None:
        raise unknown()
    words = reviews_of(store, [feedback_id]).get(feedback_id, ())
    fields = {"outcome": answer.outcome, "detail": answer.detail, "reviews": ReviewWord.all_of(words)}
    return documents.Decided(feedback_id=feedback_id, status=row.status, **fields)
