"""Pages that do not exist, and the way from the bare address to the queue."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from feedback_pipeline.api.pages.page_route import PageRoute
from feedback_pipeline.api.pages.session import HOME, PageReviewer
from feedback_pipeline.api.problems import ProblemError

router = APIRouter(route_class=PageRoute)


@router.get("/")
def start() -> RedirectResponse:
    """Lead to the queue."""
    return RedirectResponse(HOME, 307)


@router.get("/review/{path:path}")
def unknown(path: str, reviewer: PageReviewer) -> None:
    """Say that there is no such page. Raises ProblemError (404)."""
    raise ProblemError(404, "There is no such page. The address may be misspelled, or the link out of date.")
