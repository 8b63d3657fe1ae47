"""What the buttons of an item do: take it, decide it, go on to the next."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.pages.browsing import Browsing
from feedback_pipeline.api.pages.flash import Flash
from feedback_pipeline.api.pages.highlighting import plain_breaks
from feedback_pipeline.api.pages.item_forms import Posted, Sent
from feedback_pipeline.api.pages.page_route import PageRoute
from feedback_pipeline.api.pages.session import tell
from feedback_pipeline.api.routes.review import PROMOTE
from feedback_pipeline.intake import values
from feedback_pipeline.review.deciding import Reviewed, reject, reopen, supersede, verify
from feedback_pipeline.review.editing import Edited, edit_and_verify
from feedback_pipeline.review.queue import QueueItem, cursor_after, queue_page
from feedback_pipeline.review.retirement import keep
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Status, Store
from feedback_pipeline.store.reservations import ReservedError, TooManyReservedError, release, reserve

router = APIRouter(route_class=PageRoute)

TRIED = 20
"""So many items after the present one are offered before the queue counts as done: others may hold them."""

_DONE = {
    "verify": "Verified.",
    "reject": "Rejected.",
    "supersede": "Superseded.",
    "reopen": "Reopened: it waits for a decision again.",
    "edit": "Edited and verified.",
    "keep": "Kept: it is not proposed for retirement again until there is new evidence.",
}
_GOES_ON = frozenset({"verify", "reject", "edit"})


@router.post("/review/items/{feedback_id}/reserve")
def reserve_item(sent: Sent) -> Response:
    """Take the item for some minutes, and show it."""
    response = _to_item(sent)
    try:
        reserve(
            sent.services.store,
            sent.feedback_id,
            sent.reviewer.subject,
            minutes=sent.services.settings.reservation_minutes,
        )
    except ReservedError as error:
        tell(sent.request, response, Flash("warn", "Somebody else has this item.", str(error)))
    except TooManyReservedError as error:
        tell(sent.request, response, Flash("warn", "You have too many items.", str(error)))
    return response


@router.post("/review/items/{feedback_id}/release")
def release_item(sent: Sent) -> Response:
    """Give the item back, and show the queue."""
    release(sent.services.store, sent.feedback_id, sent.reviewer.subject)
    response = RedirectResponse(sent.looking.address(), 303)
    tell(sent.request, response, Flash("info", "Given back.", "Somebody else can take it now."))
    return response


@router.post("/review/items/{feedback_id}/skip")
def skip_item(sent: Sent) -> Response:
    """Give the item back undecided, and take the next one."""
    release(sent.services.store, sent.feedback_id, sent.reviewer.subject)
    return _to_next(sent, Flash("info", "Skipped.", None, sent.looking.item(sent.feedback_id), "Back to it"))


@router.post("/review/items/{feedback_id}/verify")
def verify_item(sent: Sent) -> Response:
    """Verify the item, in spite of failed checks where a reason is given."""
    if sent.override and not sent.reason:
        return sent.refuse(422, "A reason is needed.", "Say why the failed check does not count.")
    [reviewed] = verify(**_asked(sent), override=sent.override)
    return _answer(sent, reviewed)


@router.post("/review/items/{feedback_id}/reject")
def reject_item(sent: Sent) -> Response:
    """Reject the item."""
    if not sent.reason:
        return sent.refuse(422, "A reason is needed.", "Say what is wrong: whoever gave the feedback is told.")
    [reviewed] = reject(**{**_asked(sent), "reason": sent.reason})
    return _answer(sent, reviewed)


@router.post("/review/items/{feedback_id}/supersede")
def supersede_item(sent: Sent) -> Response:
    """Supersede the item: a newer answer takes its place."""
    [reviewed] = supersede(**_asked(sent))
    return _answer(sent, reviewed)


@router.post("/review/items/{feedback_id}/reopen")
def reopen_item(sent: Sent) -> Response:
    """Have the item wait for a decision again."""
    [reviewed] = reopen(**_asked(sent))
    return _answer(sent, reviewed)


@router.post("/review/items/{feedback_id}/keep")
def keep_item(sent: Sent) -> Response:
    """Keep the item although its retirement is proposed."""
    [reviewed] = keep(sent.services.store, [sent.feedback_id], reviewer=sent.reviewer.subject, reason=sent.reason)
    return _answer(sent, reviewed)


@router.post("/review/items/{feedback_id}/edit")
def edit_item(sent: Sent) -> Response:
    """Verify a better version of the item instead of it."""
    settings = sent.services.settings
    problem = _wrong_edit(sent, settings)
    if problem:
        return sent.refuse(422, "This edit cannot be kept.", problem)
    edited = edit_and_verify(
        sent.services.store,
        settings,
        sent.feedback_id,
        reviewer=sent.reviewer.subject,
        corrected_sql=sent.typed["corrected_sql"],
        natural_query=_edited_question(sent),
        reason=sent.reason,
        override=sent.override,
        expected=sent.expected,
    )
    return _answer(sent, edited)


@router.post("/review/items/{feedback_id}/apply")
def apply_item(sent: Sent) -> Response:
    """Have what is verified promoted now."""
    if sent.item.status != Status.VERIFIED:
        return sent.refuse(409, *_moved_on(sent.item.status))
    sent.services.runs.request(PROMOTE)
    response = _to_item(sent)
    detail = "Everything that is verified is being promoted. This page says applied when it is done."
    tell(sent.request, response, Flash("good", "Promotion has been asked for.", detail))
    return response


def _asked(sent: Posted) -> dict[str, Any]:
    """Return the arguments that all decisions share."""
    return {
        "store": sent.services.store,
        "settings": sent.services.settings,
        "feedback_ids": [sent.feedback_id],
        "reviewer": sent.reviewer.subject,
        "reason": sent.reason,
        "expected": sent.expected,
    }


def _wrong_edit(sent: Posted, settings: Settings) -> str | None:
    """Say what keeps an edit from being stored, by the rules for everything that comes in."""
    fields: tuple[tuple[str, str, Callable[[Any, int], Any], int], ...] = (
        ("The question", "natural_query", values.line_text, settings.max_question_chars),
        ("The SQL", "corrected_sql", values.text, settings.max_sql_chars),
    )
    for name, field, check, limit in fields:
        try:
            if check(sent.typed[field], limit) is None:
                return f"{name} is missing."
        except ValueError as error:
            return f"{name} {error}."
    if sent.override and not sent.reason:
        return "Say why the failed check does not count."
    return None


def _edited_question(sent: Posted) -> str | None:
    """Return the question if it was changed; browsers change line breaks by themselves."""
    unchanged = sent.typed["natural_query"] == plain_breaks(sent.item.natural_query).strip()
    return None if unchanged else sent.typed["natural_query"]


def _answer(sent: Posted, result: Reviewed | Edited) -> Response:
    """Go on where the decision was carried out or noted; else show the item again and say why it was not."""
    shown_id = result.feedback_id or sent.feedback_id
    link = sent.looking.item(shown_id)
    if result.outcome in ("done", "noted"):
        heading = _DONE[sent.action] if result.outcome == "done" else "Your word is noted."
        told = Flash("good", heading, result.detail, link, "Look at it again")
        return _go_on(sent, told)
    if result.outcome == "unchanged":
        return _go_on(sent, Flash("info", "Nothing to do.", result.detail, link, "Look at it"))
    if result.code == "checks_failed":
        return sent.refuse(409, "It fails its checks, so nothing was changed.", result.detail)
    heading = "Somebody else has this item." if result.outcome == "reserved" else "Nothing was changed."
    return sent.refuse(409, heading, result.detail)


def _moved_on(status: str) -> tuple[str, str]:
    return "Nothing was changed.", f"It is {status} now: look at what happened meanwhile."


def _go_on(sent: Posted, told: Flash) -> Response:
    if sent.action in _GOES_ON and sent.typed["then"] != "stay":
        return _to_next(sent, told)
    response = _to_item(sent)
    tell(sent.request, response, replace(told, link=None, link_text=None))
    return response


def _to_item(sent: Posted) -> RedirectResponse:
    return RedirectResponse(sent.looking.item(sent.feedback_id), 303)


def _to_next(sent: Posted, told: Flash) -> Response:
    next_id, why = None, "Nothing else waits here."
    try:
        next_id = take_next(sent.services.store, sent.services.settings, sent.reviewer, sent.looking, sent.item)
    except TooManyReservedError as error:
        why = str(error)
    if next_id is None:
        response = RedirectResponse(sent.looking.address(), 303)
        told = replace(told, detail=" ".join(filter(None, (told.detail, why))))
    else:
        response = RedirectResponse(sent.looking.item(next_id), 303)
    tell(sent.request, response, told)
    return response


def take_next(store: Store, settings: Settings, reviewer: Caller, looking: Browsing, item: QueueItem) -> str | None:
    """Reserve what comes after ``item``, or from the beginning where nothing does, and return its id.

    What others have reserved is passed over. Only what waits is gone through, whatever ``looking`` shows. Raises
    TooManyReservedError.
    """
    waiting = looking.with_(status=Status.PENDING.value, free=True)
    for start in (cursor_after(item, looking.order), None):
        page = queue_page(store, waiting.wanted(reviewer), order=looking.order, limit=TRIED, cursor=start)
        for candidate in page.items:
            if candidate.feedback_id != item.feedback_id and _taken(store, settings, reviewer, candidate):
                return candidate.feedback_id
    return None


def _taken(store: Store, settings: Settings, reviewer: Caller, item: QueueItem) -> bool:
    try:
        reserve(store, item.feedback_id, reviewer.subject, minutes=settings.reservation_minutes)
    except ReservedError:
        return False
    return True
