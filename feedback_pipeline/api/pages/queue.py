"""The queue: what waits for a decision, what is most worth one first."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import HTMLResponse

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.pages.browsing import AGES, MAX_CURSOR_CHARS, ORDERS, Browsing, Looking
from feedback_pipeline.api.pages.page_route import PageRoute
from feedback_pipeline.api.pages.session import HOME, PageReviewer, render
from feedback_pipeline.api.problems import ProblemError
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.review.queue import QueueCounts, QueuePage, queue_counts, queue_page
from feedback_pipeline.store import Status

router = APIRouter(route_class=PageRoute)

ITEMS_PER_PAGE = 50
FRAGMENT = "queue"

_CHECKS = {"passed": "Passed", "flagged": "Flagged", "failed": "Failed", "unchecked": "Not checked yet"}


@router.get(HOME)
def show_queue(
    request: Request,
    reviewer: PageReviewer,
    looking: Looking,
    services: Serving,
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR_CHARS)] = None,
    x_fragment: Annotated[str | None, Header()] = None,
) -> HTMLResponse:
    """Show a page of the queue; a script that keeps it up to date asks for the part that changes."""
    page, counts = _page(services, reviewer, looking, cursor or None)
    template = "_queue.html" if x_fragment == FRAGMENT else "queue.html"
    # What has just happened is told on a whole page, not swallowed by a part of one.
    more: dict[str, Any] = {"flash": None} if x_fragment == FRAGMENT else {}
    return render(
        request,
        template,
        headers={"Vary": "X-Fragment"},
        section="queue",
        page=page,
        counts=counts,
        looking=looking,
        facets=_facets(counts, looking),
        databases=_databases(counts, looking),
        ages=AGES,
        orders=ORDERS,
        statuses=[status.value for status in Status],
        first_page=cursor is None,
        minutes=services.settings.reservation_minutes,
        **more,
    )


def _page(services: Services, reviewer: Caller, looking: Browsing, cursor: str | None) -> tuple[QueuePage, QueueCounts]:
    wanted = looking.wanted(reviewer)
    try:
        page = queue_page(services.store, wanted, order=looking.order, limit=ITEMS_PER_PAGE, cursor=cursor)
    except ValueError as error:
        raise ProblemError(422, "This page of the queue does not exist any more: begin at the first one.") from error
    return page, queue_counts(services.store, wanted)


def _facets(counts: QueueCounts, looking: Browsing) -> list[tuple[str, int | None, str, bool]]:
    """Return the filters that go with a click: label, how many there are, the address, whether it is on."""
    waiting = looking.with_(retirement=False, status=Status.PENDING.value) if looking.retirement else looking
    plain = waiting.with_(checks="", conflict=False)
    facets: list[tuple[str, int | None, str, bool]] = [("All", None, plain.address(), plain == looking)]
    for name, label in _CHECKS.items():
        is_on = looking.checks == name
        there = waiting.with_(checks="" if is_on else name)
        facets.append((label, counts.by_checks.get(name, 0), there.address(), is_on))
    there = waiting.with_(conflict=not looking.conflict)
    facets.append(("In conflict", counts.in_conflict, there.address(), looking.conflict))
    if counts.for_retirement or looking.retirement:
        facets.append(_retirement(counts, looking))
    return facets


def _retirement(counts: QueueCounts, looking: Browsing) -> tuple[str, int | None, str, bool]:
    """Return the filter for what is in use and should perhaps not be; it leaves the others behind."""
    applied = Browsing(Status.APPLIED.value, looking.database, retirement=True)
    return "Proposed for retirement", counts.for_retirement, applied.address(), looking.retirement


def _databases(counts: QueueCounts, looking: Browsing) -> dict[str, int]:
    """Return the databases that can be chosen, the chosen one in any case."""
    chosen = {looking.database: 0} if looking.database else {}
    return {**chosen, **counts.by_database}
