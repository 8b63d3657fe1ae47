"""Questions whose answers contradict each other, side by side, and choosing one of the answers."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.pages.browsing import MAX_CURSOR_CHARS, Browsing
from feedback_pipeline.api.pages.bulk import MAX_SELECTED, Outcome, outcome_page, told
from feedback_pipeline.api.pages.flash import Flash
from feedback_pipeline.api.pages.item_forms import MAX_REASON_CHARS
from feedback_pipeline.api.pages.page_route import PageRoute
from feedback_pipeline.api.pages.session import PageReviewer, PostingReviewer, local_path, render, tell
from feedback_pipeline.api.pages.texts import counted
from feedback_pipeline.api.problems import ProblemError
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.review.conflicts import Rival
from feedback_pipeline.review.deciding import Reviewed, reject, supersede, verify
from feedback_pipeline.review.item import open_item
from feedback_pipeline.review.queue import QueueItem, queue_counts, queue_items, queue_page
from feedback_pipeline.store import Status

router = APIRouter(route_class=PageRoute)

CONFLICTS = "/review/conflicts"
DECIDED = f"{CONFLICTS}/decided"
ITEMS_PER_PAGE = 10
"""What waits in conflict is looked at so much at a time: finding the rivals of each takes a look at its database."""

CHOSEN = "another answer to the same question was chosen"
_TONES = {"verified": "good", "applied": "good", "rejected": "bad", "superseded": "warn"}


@dataclass(frozen=True)
class Contradiction:
    """A question, as one of those waiting asks it, and its rival answers."""

    item: QueueItem
    rivals: tuple[Rival, ...]


@router.get(CONFLICTS)
def show_conflicts(
    request: Request,
    reviewer: PageReviewer,
    services: Serving,
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR_CHARS)] = None,
    database: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """Show the questions whose waiting answers contradict others."""
    looking = Browsing(conflict=True, database=database)
    wanted = looking.wanted(reviewer)
    try:
        page = queue_page(services.store, wanted, limit=ITEMS_PER_PAGE, cursor=cursor or None)
    except ValueError as error:
        raise ProblemError(422, "This page does not exist any more: begin at the first one.") from error
    return render(
        request,
        "conflicts.html",
        section="conflicts",
        looking=looking,
        waiting=queue_counts(services.store, wanted).total,
        contradictions=_contradictions(services, page.items),
        next_cursor=page.next_cursor,
        first_page=not cursor,
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    )


def _contradictions(services: Services, items: tuple[QueueItem, ...]) -> list[Contradiction]:
    """Return each question once, though several of ``items`` may ask it."""
    found: list[Contradiction] = []
    seen: set[str] = set()
    for item in items:
        if item.feedback_id in seen:
            continue
        rivals = open_item(services.store, services.settings, item.feedback_id).rivals
        seen.update(feedback_id for rival in rivals for feedback_id in rival.feedback_ids)
        if rivals:
            found.append(Contradiction(item, rivals))
    return found


@router.post(f"{CONFLICTS}/keep")
def keep_one(
    request: Request,
    reviewer: PostingReviewer,
    services: Serving,
    keep: Annotated[list[str], Form(max_length=MAX_SELECTED)],
    others: Annotated[list[str], Form(max_length=MAX_SELECTED)],
    reason: Annotated[str, Form(max_length=MAX_REASON_CHARS)] = "",
    back: Annotated[str, Form(max_length=2_000)] = CONFLICTS,
) -> Response:
    """Verify one answer and give up the others: what waits is rejected, what is in use superseded."""
    kept, given_up = _visible(services, reviewer, keep), _visible(services, reviewer, others)
    why = reason.strip() or CHOSEN
    results = _verified(services, reviewer, kept, reason.strip() or None)
    if any(result.outcome in ("refused", "reserved") for result in results):
        # The others stay as they are: giving them up for an answer that cannot be had would leave none.
        return outcome_page(request, local_path(back), "Nothing was given up", told(results, kept))
    results += _given_up(services, reviewer, given_up, why)
    ids = [item.feedback_id for item in (*kept, *given_up)]
    # Another address: loading the page again asks what became of them, and decides nothing.
    response = RedirectResponse(f"{DECIDED}?{urlencode({'id': ids, 'back': local_path(back)}, doseq=True)}", 303)
    if message := _left_undone(results):
        tell(request, response, message)
    return response


def _left_undone(results: list[Reviewed]) -> Flash | None:
    """Say what was not carried out, None where everything was."""
    undone = [result for result in results if result.outcome not in ("done", "noted", "unchanged")]
    if not undone:
        return None
    why = " ".join(dict.fromkeys(result.detail for result in undone if result.detail))
    return Flash("warn", f"{counted(len(undone), 'feedback', 'feedbacks')} could not be given up.", why)


@router.get(DECIDED)
def show_decided(
    request: Request,
    reviewer: PageReviewer,
    services: Serving,
    feedback_ids: Annotated[list[str], Query(alias="id", max_length=2 * MAX_SELECTED)],
    back: Annotated[str, Query(max_length=2_000)] = CONFLICTS,
) -> HTMLResponse:
    """Show how the answers to a question stand after one of them was kept."""
    standing = [_standing(item, reviewer) for item in _visible(services, reviewer, feedback_ids)]
    return outcome_page(request, local_path(back), "Decided", standing)


def _standing(item: QueueItem, reviewer: Caller) -> Outcome:
    mine = [word.verdict for word in item.verdicts if word.reviewer == reviewer.subject]
    waits = item.status == Status.PENDING and mine
    why = f"your word is noted ({mine[-1]}), more reviewers are needed" if waits else None
    return Outcome(item.feedback_id, item.natural_query, item.status, _TONES.get(item.status, "info"), why)


def _visible(services: Services, reviewer: Caller, ids: list[str]) -> list[QueueItem]:
    return [item for item in queue_items(services.store, ids) if reviewer.may_use(item.database_id)]


def _verified(services: Services, reviewer: Caller, kept: list[QueueItem], reason: str | None) -> list[Reviewed]:
    waiting = [item.feedback_id for item in kept if item.status == Status.PENDING]
    return verify(
        services.store,
        services.settings,
        waiting,
        reviewer=reviewer.subject,
        reason=reason,
        expected=Status.PENDING.value,
    )


def _given_up(services: Services, reviewer: Caller, others: list[QueueItem], why: str) -> list[Reviewed]:
    results: list[Reviewed] = []
    for status in dict.fromkeys(item.status for item in others):
        decided = reject if status == Status.PENDING else supersede
        ids = [item.feedback_id for item in others if item.status == status]
        results += decided(
            services.store, services.settings, ids, reviewer=reviewer.subject, reason=why, expected=status
        )
    return results
