"""One feedback whole: everything a reviewer looks at before deciding, and the forms that decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.pages import evidence
from feedback_pipeline.api.pages.browsing import Browsing, Looking
from feedback_pipeline.api.pages.flash import Flash
from feedback_pipeline.api.pages.highlighting import formatted, highlighted, plain_breaks
from feedback_pipeline.api.pages.page_route import PageRoute
from feedback_pipeline.api.pages.session import PageReviewer, render
from feedback_pipeline.api.pages.sql_diff import DiffRow, side_by_side
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.curation.hidden_signs import normalise
from feedback_pipeline.retrieval import Example
from feedback_pipeline.review.item import ReviewItem, open_item
from feedback_pipeline.review.queue import QueueItem, queue_items
from feedback_pipeline.store import Event, Status, UnknownFeedbackError, allowed_events

router = APIRouter(route_class=PageRoute)

SIMILAR_EXAMPLES = 3
FORMATTED = "formatted"

_EDITABLE_FROM = frozenset({Status.PENDING, Status.VERIFIED, Status.APPLIED})
_BY_A_PERSON = frozenset({Event.VERIFIED, Event.REJECTED, Event.SUPERSEDED, Event.REOPENED})
_SAID_BY_CHECKS = frozenset({Event.CHECKED})


@dataclass(frozen=True)
class Refused:
    """A decision that was not carried out: why, and what the reviewer had typed, so that nothing has to be again."""

    status: int
    heading: str
    detail: str | None
    action: str
    typed: Mapping[str, str]


TYPED = ("reason", "override", "corrected_sql", "natural_query", "then")
"""The fields of the forms of an item that a reviewer fills."""


@router.get("/review/items/{feedback_id}")
def show_item(
    request: Request, feedback_id: str, reviewer: PageReviewer, looking: Looking, services: Serving, sql: str = ""
) -> HTMLResponse:
    """Show one feedback; looking at it reserves nothing."""
    return item_page(request, services, reviewer, looking, feedback_id, laid_out=sql == FORMATTED)


def seen_item(services: Services, reviewer: Caller, feedback_id: str) -> QueueItem:
    """Return a feedback that ``reviewer`` may see. Raises UnknownFeedbackError for any other."""
    for item in queue_items(services.store, [feedback_id]):
        if reviewer.may_use(item.database_id):
            return item
    raise UnknownFeedbackError(feedback_id)


def item_page(
    request: Request,
    services: Services,
    reviewer: Caller,
    looking: Browsing,
    feedback_id: str,
    *,
    laid_out: bool = False,
    refused: Refused | None = None,
) -> HTMLResponse:
    """Return the page of one feedback, with a decision that was refused where there is one."""
    seen_item(services, reviewer, feedback_id)
    item = open_item(services.store, services.settings, feedback_id)
    told: dict[str, Any] = {"flash": _told(refused, item)} if refused else {}
    return render(
        request,
        "item.html",
        refused.status if refused else 200,
        section="queue",
        looking=looking,
        item=item,
        feedback=item.feedback,
        may=_may(item),
        laid_out=laid_out,
        code=_code(item, laid_out),
        checks=evidence.check_lines(item.feedback["checks"]),
        comparison=evidence.comparison_of((item.feedback["checks"] or {}).get("execution")),
        history=_history(item),
        similar=_similar(services, item),
        held_by_other=item.reservation is not None and item.reservation.reviewer != reviewer.subject,
        held_by_me=item.reservation is not None and item.reservation.reviewer == reviewer.subject,
        refused=refused,
        typed=refused.typed if refused else dict.fromkeys(TYPED, ""),
        to_edit=_to_edit(item),
        sample_rows=services.settings.execution_sample_rows,
        **told,
    )


@dataclass(frozen=True)
class Code:
    """The SQL of a feedback: both sides compared, or the lines of the one there is."""

    rows: list[DiffRow]
    lines: list[Any]
    title: str


def _code(item: ReviewItem, laid_out: bool) -> Code:
    generated, corrected = item.feedback["generated_sql"], item.feedback["corrected_sql"]
    if laid_out:
        dialect = (item.feedback["checks"] or {}).get("dialect") or "sqlite"
        generated, corrected = formatted(generated, dialect), formatted(corrected, dialect)
    if generated and corrected:
        return Code(side_by_side(generated, corrected), [], "Generated and corrected SQL")
    title = "Corrected SQL (what was generated is not known)" if corrected else "Generated SQL (nothing was corrected)"
    return Code([], highlighted(corrected or generated), title)


def _may(item: ReviewItem) -> dict[str, bool]:
    """Return which forms the page shows."""
    status = Status(item.feedback["status"])
    allowed = set(allowed_events(status))
    return {
        "verify": Event.VERIFIED in allowed,
        "reject": Event.REJECTED in allowed,
        "supersede": Event.SUPERSEDED in allowed,
        "reopen": Event.REOPENED in allowed,
        "apply": status == Status.VERIFIED,
        "edit": status in _EDITABLE_FROM,
    }


def _to_edit(item: ReviewItem) -> dict[str, Any]:
    """Return the texts an edit starts from, without signs that would lie hidden in the fields."""
    question, sql = (
        item.feedback["natural_query"],
        item.feedback["corrected_sql"] or item.feedback["generated_sql"] or "",
    )
    clean_question, clean_sql = normalise(question).text, plain_breaks(normalise(sql).text)
    hidden = (clean_question, clean_sql) != (question, plain_breaks(sql))
    return {"question": clean_question, "sql": clean_sql, "hidden": hidden}


def _history(item: ReviewItem) -> list[dict[str, Any]]:
    """Return the events, latest first; of checks in a row only the latest, since each replaces the one before."""
    shown: list[dict[str, Any]] = []
    for event in reversed(item.feedback["history"]):
        repeated = event["event"] in _SAID_BY_CHECKS and shown and shown[-1]["event"] == event["event"]
        if not repeated:
            shown.append(event)
    return shown


def _told(refused: Refused, item: ReviewItem) -> Flash:
    """Say why a decision was not carried out; of what is decided already also by whom, and why."""
    decided = [event for event in item.feedback["history"] if event["event"] in _BY_A_PERSON]
    if refused.status != HTTPStatus.CONFLICT or item.feedback["status"] == Status.PENDING or not decided:
        return Flash("warn", refused.heading, refused.detail)
    latest = decided[-1]
    why = f": {latest['reason']}" if latest["reason"] else ""
    meanwhile = f"It was {latest['event']} by {latest['actor']}{why}"
    return Flash("warn", refused.heading, " ".join(filter(None, (refused.detail, meanwhile))))


def _similar(services: Services, item: ReviewItem) -> list[Example]:
    """Return what is already learned about questions like this one, without the feedback itself."""
    found = services.retriever.similar(
        item.feedback["natural_query"], database_id=item.feedback["database_id"], k=SIMILAR_EXAMPLES + 1
    )
    others = [example for example in found if item.feedback["feedback_id"] not in example.feedback_ids]
    return others[:SIMILAR_EXAMPLES]
