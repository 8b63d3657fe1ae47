"""How a request is refused before any route sees it: to programs with a problem document, to people with a page."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.api.failures import request_id_of
from feedback_pipeline.api.pages.page_route import error_page
from feedback_pipeline.api.pages.session import HOME, SIGN_IN
from feedback_pipeline.api.problems import problem


def refusal(
    request: Request, status: int, detail: str, *, code: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer that says ``detail`` in the form that the sender reads."""
    if _is_for_a_person(request):
        return error_page(request, status, detail, dict(headers or {}))
    return problem(status, detail, code=code, headers=headers, request_id=request_id_of(request))


def _is_for_a_person(request: Request) -> bool:
    path = request.scope["path"]
    is_page = path in (HOME, SIGN_IN) or path.startswith(f"{HOME}/")
    return is_page and "text/html" in request.headers.get("accept", "")
