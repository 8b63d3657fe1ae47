"""What becomes of errors on pages: a page in the same look that says what is wrong and where to go."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from feedback_pipeline.api.failures import AWAY, STATUS_OF, UNREADABLE, request_id_of
from feedback_pipeline.api.pages.rendering import render_page
from feedback_pipeline.api.pages.session import SignInNeededError, cookie_name, end_session, sign_in_path
from feedback_pipeline.api.problems import RETRY_AFTER_S, ProblemError

_HEADINGS = {
    403: "Not allowed",
    404: "Nothing here",
    409: "Somebody was faster",
    413: "Too much at once",
    422: "This cannot be read",
    429: "Too many requests",
    500: "Something went wrong",
    503: "Not available right now",
}
_UNEXPECTED = "This is a mistake in the server; nothing that was decided before is lost."
_UNREADABLE = "A field of the address or form has a value that cannot be read. Go back and try again."

_TOO_LARGE = "What was sent is too large. Go back and send less."


class PageRoute(APIRoute):
    """A route that answers errors with pages, and whoever is not signed in with the way there."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request to this route."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeededError as error:
                return _to_sign_in(request, error.next_path)
            except ProblemError as error:
                return error_page(request, error.status, error.detail, error.headers)
            except (HTTPException, RequestValidationError, *UNREADABLE) as error:
                status = getattr(error, "status_code", 422)
                return error_page(request, status, _TOO_LARGE if status == 413 else _UNREADABLE)
            except tuple(STATUS_OF) as error:
                return error_page(request, _entry(STATUS_OF, error)[0], str(error))
            except tuple(AWAY) as error:
                request.state.failure = error
                return error_page(request, 503, _entry(AWAY, error)[1], {"Retry-After": str(RETRY_AFTER_S)})
            except Exception as error:  # noqa: BLE001 - the log of the request tells it, with the id that the page names
                request.state.failure = error
                return error_page(request, 500, _UNEXPECTED)

        return answer


def error_page(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> HTMLResponse:
    """Return a page that says what is wrong."""
    heading = _HEADINGS.get(status, HTTPStatus(status).phrase)
    told = {"heading": heading, "detail": detail, "code": status, "request_id": request_id_of(request)}
    return render_page(request, "error.html", status, headers, **told)


def _entry(entries: Mapping[type[Exception], tuple[Any, str]], error: Exception) -> tuple[Any, str]:
    return next(entries[kind] for kind in type(error).__mro__ if kind in entries)


def _to_sign_in(request: Request, next_path: str) -> Response:
    """Lead to the sign-in page; a link on another site first leads here again, since it brings no strict cookie."""
    if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
        return render_page(request, "continue.html", target=next_path)
    response = RedirectResponse(sign_in_path(next_path), 303)
    if cookie_name(request) in request.cookies:
        # Not otherwise: a form from another site comes without the cookie, and must not sign anybody out.
        end_session(request, response)
    return response
