"""The queue of corrections, its items, and who has one for themselves; decisions stand in ``decisions``."""

from typing import Annotated

from fastapi import APIRouter, Query

from feedback_pipeline.api.auth.guard import ReviewerCaller
from feedback_pipeline.api.documents import review as documents
from feedback_pipeline.api.documents.json_values import Name
from feedback_pipeline.api.documents.review import Hours, Moment, Words
from feedback_pipeline.api.problems import ProblemError, responses
from feedback_pipeline.api.routes import decisions
from feedback_pipeline.api.routes.decisions import PROMOTE
from feedback_pipeline.api.routes.reviewed import ANSWERS, FeedbackId, kept, require_visible, reserved
from feedback_pipeline.api.services import Serving
from feedback_pipeline.review.item import open_item
from feedback_pipeline.review.queue import Checks, Order, QueueFilter, queue_counts, queue_page
from feedback_pipeline.store import Status
from feedback_pipeline.store.reservations import ReservedError, held, release, reserve

__all__ = ["PROMOTE", "router"]

_INVALID = "The request is not as described; errors names the fields."

router = APIRouter(tags=["review"])
router.include_router(decisions.router)


@router.get("/review-queue", responses=responses(401, 403))
def review_queue(
    caller: ReviewerCaller,
    services: Serving,
    status: Annotated[Status | None, Query(description="pending unless named; applied with `retirement=true`.")] = None,
    database_id: Annotated[Name | None, Query(description="Only this database.")] = None,
    checks: Annotated[Checks | None, Query(description="Only what the checks say this of.")] = None,
    conflict: Annotated[bool | None, Query(description="Whether other answers contradict it.")] = None,
    submitted_after: Annotated[Moment | None, Query(description="Submitted at or after this moment.")] = None,
    submitted_before: Annotated[Moment | None, Query(description="Submitted before this moment.")] = None,
    older_than_hours: Annotated[Hours | None, Query(description="Submitted at least so long ago.")] = None,
    reserved_too: Annotated[
        bool | None, Query(alias="reserved", description="false leaves out what other reviewers have reserved.")
    ] = None,
    text: Annotated[Words | None, Query(description="Words of the question.")] = None,
    retirement: Annotated[
        bool | None, Query(description="Whether it stands behind an example that is proposed for retirement.")
    ] = None,
    order: Annotated[Order, Query(description="value: what is most worth a review first.")] = "value",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")] = None,
) -> documents.Queue:
    """Return what waits for a decision, most worth a review first, and how much there is of which kind."""
    wanted = QueueFilter(
        status=status or (Status.APPLIED if retirement else Status.PENDING),
        databases=caller.databases,
        database_id=database_id,
        checks=checks,
        conflict=conflict,
        submitted_after=submitted_after,
        submitted_before=documents.before(submitted_before, older_than_hours),
        reserved=reserved_too,
        text=text,
        retirement=retirement,
        reviewer=caller.subject,
    )
    try:
        page = queue_page(services.store, wanted, order=order, limit=limit, cursor=cursor)
    except ValueError as error:
        errors = [{"field": "query.cursor", "message": "is no next_cursor of a page in this order"}]
        raise ProblemError(422, _INVALID, code="invalid_request", errors=errors) from error
    return documents.Queue(
        items=[documents.QueueEntry.of(item) for item in page.items],
        counts=documents.Counts.of(queue_counts(services.store, wanted)),
        next_cursor=page.next_cursor,
    )


@router.get("/review-queue/{feedback_id}", responses=responses(401, 403, 404))
def review_item(feedback_id: FeedbackId, caller: ReviewerCaller, services: Serving) -> documents.Item:
    """Return one feedback whole; what waits and has not been checked yet is checked first."""
    require_visible(feedback_id, caller, services.store)
    return documents.Item.of(open_item(services.store, services.settings, feedback_id))


@router.post("/feedback/{feedback_id}/reservation", responses=ANSWERS)
def reserve_feedback(feedback_id: FeedbackId, caller: ReviewerCaller, services: Serving) -> documents.Reserved:
    """Have a feedback for yourself for some minutes; again, to have it longer."""
    require_visible(feedback_id, caller, services.store)
    try:
        reservation = reserve(
            services.store, feedback_id, caller.subject, minutes=services.settings.reservation_minutes
        )
    except ReservedError as error:
        raise reserved(str(error), error) from error
    return documents.Reserved.of(reservation)


@router.delete("/feedback/{feedback_id}/reservation", status_code=204, responses=ANSWERS)
def release_feedback(feedback_id: FeedbackId, caller: ReviewerCaller, services: Serving) -> None:
    """Give back what you have reserved; where nobody has it that is done already."""
    require_visible(feedback_id, caller, services.store)
    if not release(services.store, feedback_id, caller.subject) and (reservation := kept(services.store, feedback_id)):
        raise reserved(held(reservation), reservation)
