"""What became of feedback, for whoever gave it."""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from feedback_pipeline.api.auth.caller import Caller, Role
from feedback_pipeline.api.auth.guard import UserCaller
from feedback_pipeline.api.documents.status import (
    Applied,
    ChecksSummary,
    FeedbackList,
    FeedbackStatus,
    FeedbackSummary,
    HistoryEntry,
)
from feedback_pipeline.api.problems import ProblemError, responses
from feedback_pipeline.api.routes.intake import known_user_of, user_of
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.store import Status, UnknownFeedbackError, get_feedback
from feedback_pipeline.store.feedback_pages import Place, feedback_page
from feedback_pipeline.store.influence import uses_of
from feedback_pipeline.store.standing import standings

_ID = re.compile(r"[0-9A-Za-z-]{1,36}")
_FIELDS = FeedbackStatus.model_fields.keys() - {"yours", "superseded_by", "history", "checks", "applied"}

router = APIRouter(tags=["status"])


@router.get("/feedback/{feedback_id}", responses=responses(401, 403, 404))
def feedback_status(feedback_id: str, caller: UserCaller, services: Serving) -> FeedbackStatus:
    """Return a feedback, what happened to it and where it is of use.

    Users see their own, reviewers and admins any of their databases; all other feedback does not exist for them.
    """
    row, yours = _visible(feedback_id, caller, services)
    use = uses_of(services.store, [feedback_id])[feedback_id]
    applied = Applied.of(
        row["history"],
        use,
        index_version=services.live_membership.version_with(feedback_id),
        datasets=services.dataset_membership.versions_with(feedback_id),
    )
    for_reviewer = caller.has(Role.REVIEWER)
    return FeedbackStatus(
        **{name: row[name] for name in _FIELDS},
        yours=yours,
        superseded_by=_successor(row, caller, services),
        history=[HistoryEntry.of(event, for_reviewer=for_reviewer) for event in row["history"]],
        checks=ChecksSummary.of(row, for_reviewer=for_reviewer),
        applied=applied,
    )


def _visible(feedback_id: str, caller: Caller, services: Services) -> tuple[dict[str, Any], bool]:
    """Return a feedback as the store has it, and whether the caller gave it. Raises ProblemError (404)."""
    unknown = ProblemError(404, "There is no such feedback, or it is not for this caller.", code="unknown_feedback")
    if not _ID.fullmatch(feedback_id):
        raise unknown
    store, user_id = services.store, user_of(caller)
    known = standings(store, [feedback_id]).get(feedback_id)
    yours = known is not None and user_id is not None and known.owner == store.hash_user(user_id)
    if known is None or not (yours or caller.has(Role.REVIEWER)):
        raise unknown
    try:
        row = get_feedback(store, feedback_id)
    except UnknownFeedbackError:
        raise unknown from None
    if not caller.may_use(row["database_id"]):
        raise unknown
    return row, yours


def _successor(row: dict[str, Any], caller: Caller, services: Services) -> str | None:
    """Return what took the place of feedback, as far as the caller may see it: a reviewer's edit stays the user's."""
    payloads = [event["payload"] or {} for event in row["history"] if event["event"] == Status.SUPERSEDED]
    successor = payloads[-1].get("superseded_by") if payloads and row["status"] == Status.SUPERSEDED else None
    if successor is None or caller.has(Role.REVIEWER):
        return successor
    owners = {i: one.owner for i, one in standings(services.store, [row["feedback_id"], successor]).items()}
    return successor if owners.get(successor) is not None and len(set(owners.values())) == 1 else None


@router.get("/feedback", responses=responses(401, 403))
def list_feedback(
    caller: UserCaller,
    services: Serving,
    mine: Annotated[
        bool, Query(description="Only what the caller gave. Reviewers and admins may ask for all.")
    ] = False,
    status: Annotated[Status | None, Query(description="Only what stands so.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")] = None,
) -> FeedbackList:
    """Return feedback of the caller's databases, newest first, with how often each was of use."""
    if not mine and not caller.has(Role.REVIEWER):
        raise ProblemError(403, "Users see their own feedback: ask with mine=true.", code="role_missing")
    store = services.store
    rows = feedback_page(
        store,
        limit=limit + 1,
        user_hash=store.hash_user(known_user_of(caller)) if mine else None,
        databases=caller.databases,
        status=status,
        after=None if cursor is None else _place(cursor),
    )
    page = rows[:limit]
    uses = uses_of(store, [row["feedback_id"] for row in page])
    entries = [FeedbackSummary(**row, used_in_queries=uses[row["feedback_id"]].queries) for row in page]
    return FeedbackList(feedback=entries, next_cursor=_cursor(page[-1]) if len(rows) > limit else None)


def _cursor(row: dict[str, Any]) -> str:
    place = json.dumps([row["created_at"].isoformat(), row["feedback_id"]])
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(cursor: str) -> Place:
    try:
        moment, feedback_id = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is None or not _ID.fullmatch(feedback_id):
            raise ValueError("no place")
        return created_at.astimezone(UTC), feedback_id
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        detail = "The request is not as described; errors names the fields."
        message = "is no next_cursor of an earlier page"
        raise ProblemError(
            422, detail, code="invalid_request", errors=[{"field": "query.cursor", "message": message}]
        ) from error
