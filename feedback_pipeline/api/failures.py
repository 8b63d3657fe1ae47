"""Which exception becomes which problem document; what nobody expected is told by ``middleware.unexpected``."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from feedback_pipeline.api.problems import RETRY_AFTER_S, ProblemError, problem
from feedback_pipeline.store import (
    HashKeyError,
    IllegalTransitionError,
    OptedOutError,
    StoreUnavailableError,
    UnknownFeedbackError,
    UnknownInteractionError,
)
from feedback_pipeline.store.reservations import TooManyReservedError

STATUS_OF: dict[type[Exception], tuple[int, str]] = {
    UnknownFeedbackError: (404, "unknown_feedback"),
    UnknownInteractionError: (404, "unknown_interaction"),
    OptedOutError: (403, "opted_out"),
    IllegalTransitionError: (409, "illegal_transition"),
    TooManyReservedError: (409, "too_many_reserved"),
}
"""Errors whose text is written for the sender of the request."""

_TIMED_OUT = "Something the answer needs took too long. Try again in a moment."

AWAY: dict[type[Exception], tuple[str, str]] = {
    StoreUnavailableError: ("store_unavailable", "The store cannot be used right now. Try again in a moment."),
    HashKeyError: ("store_unavailable", "User ids cannot be hashed right now; the server's log says why."),
    TimeoutError: ("timed_out", _TIMED_OUT),
    PoolTimeoutError: ("timed_out", _TIMED_OUT),
}
"""What the server misses for the moment. The texts of these errors name paths and hosts, so the log alone has them."""

UNREADABLE = (DataError, UnicodeEncodeError)
"""Raised where a text holds what no database keeps: a NUL character, or half of a character pair."""

MAX_ERRORS, MAX_FIELD_CHARS = 20, 200

_BY_FRAMEWORK = {
    400: ("The body cannot be read.", "unreadable_body"),
    404: ("There is nothing at this address.", "not_found"),
    405: ("This address does not take that method; Allow lists those it takes.", "method_not_allowed"),
    413: ("The body is too large.", "body_too_large"),
}

_WITHOUT_INPUT = {
    "union_tag_invalid": "is of none of the kinds that are known here",
    "json_invalid": "is no valid JSON",
    "uuid_parsing": "is no UUID",
}
"""Pydantic's own words for these would quote what was sent."""


def register(app: FastAPI) -> None:
    """Have ``app`` answer expected errors with problem documents."""
    app.add_exception_handler(ProblemError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused_by_framework)
    for kind in STATUS_OF:
        app.add_exception_handler(kind, _known)
    for kind in AWAY:
        app.add_exception_handler(kind, _away)
    for kind in UNREADABLE:
        app.add_exception_handler(kind, _unreadable)


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return pydantic's ``errors`` as field and message, without anything that was sent but the names of fields."""
    return [{"field": _field(error), "message": _message(error)} for error in list(errors)[:MAX_ERRORS]]


def _field(error: Mapping[str, Any]) -> str:
    place = [str(part) for part in error["loc"]]
    # The first part says where it stood (body, query, path); only for a body is that plain without saying.
    shown = place[1:] if len(place) > 1 and place[0] == "body" and error["type"] != "json_invalid" else place[:1]
    return ".".join(shown if place[0] == "body" else place)[:MAX_FIELD_CHARS]


def _message(error: Mapping[str, Any]) -> str:
    return _WITHOUT_INPUT.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")


def request_id_of(request: Request) -> str | None:
    """Return the id of the request, where the middleware stands around the application."""
    return getattr(request.state, "request_id", None)


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem(
        error.status,
        error.detail,
        code=error.code,
        headers=error.headers,
        request_id=request_id_of(request),
        **error.more,
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    detail = "The request is not as described; errors names the fields."
    errors = field_errors(error.errors())
    return problem(422, detail, code="invalid_request", request_id=request_id_of(request), errors=errors)


async def _refused_by_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail, code = _BY_FRAMEWORK.get(error.status_code, (str(error.detail), None))
    return problem(error.status_code, detail, code=code, headers=error.headers, request_id=request_id_of(request))


async def _known(request: Request, error: Exception) -> Response:
    status, code = _entry(STATUS_OF, error)
    return problem(status, str(error), code=code, request_id=request_id_of(request))


async def _away(request: Request, error: Exception) -> Response:
    code, detail = _entry(AWAY, error)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    request.state.failure = error
    return problem(503, detail, code=code, headers=headers, request_id=request_id_of(request))


async def _unreadable(request: Request, error: Exception) -> Response:
    detail = "A text of the request holds a NUL character, or half of a character pair, or a number is out of range."
    request.state.failure = error
    return problem(422, detail, code="unreadable_value", request_id=request_id_of(request))


def _entry(entries: Mapping[type[Exception], tuple[Any, str]], error: Exception) -> tuple[Any, str]:
    return next(entries[kind] for kind in type(error).__mro__ if kind in entries)
