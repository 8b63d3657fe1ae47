"""What can go wrong between a caller and the API, told from the problem document that the server answers with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

BUSY = frozenset({429, 502, 503, 504})
"""The server, or what stands before it, cannot answer now; the same request may work later."""


class FeedbackError(Exception):
    """The API did not do what was asked.

    Attributes:
        status: HTTP status; None where there was no answer.
        code: the reason for programs, such as ``unknown_interaction``.
        detail: the reason for people.
        request_id: under which the server's log tells more.
        errors: of an invalid request, what is wrong with which field: dicts with ``field`` and ``message``.

    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        errors: tuple[Mapping[str, Any], ...] = (),
    ):
        self.detail, self.status, self.code, self.request_id, self.errors = detail, status, code, request_id, errors
        fields = "".join(f" {error.get('field')}: {error.get('message')}." for error in errors)
        marks = ", ".join(mark for mark in (code, request_id and f"request {request_id}") if mark)
        super().__init__(f"{detail}{fields}" + (f" ({marks})" if marks else ""))


class FeedbackUnauthorizedError(FeedbackError):
    """The token is missing, expired or not accepted (401)."""


class FeedbackForbiddenError(FeedbackError):
    """The caller may not do this, or the user has opted out (403)."""


class FeedbackNotFoundError(FeedbackError):
    """There is no such thing, or the caller may not see it (404)."""


class FeedbackInvalidError(FeedbackError):
    """The request is not as it should be (400, 413, 422); ``errors`` names the fields."""


class FeedbackUnavailableError(FeedbackError):
    """The server was not reached or could not answer, every time it was tried.

    ``retry_after`` is the number of seconds the server asked to wait, if it did. What was sent may have been stored:
    sending it again with the same ``idempotency_key`` is safe.
    """

    def __init__(self, detail: str, *, retry_after: float | None = None, **more: Any):
        super().__init__(detail, **more)
        self.retry_after = retry_after


_KINDS: dict[int, type[FeedbackError]] = {
    400: FeedbackInvalidError,
    401: FeedbackUnauthorizedError,
    403: FeedbackForbiddenError,
    404: FeedbackNotFoundError,
    413: FeedbackInvalidError,
    422: FeedbackInvalidError,
}


def error_of(response: httpx.Response) -> FeedbackError:
    """Return the error that an answer which is no success stands for."""
    problem = _problem(response)
    more: dict[str, Any] = {
        "status": response.status_code,
        "code": problem.get("code"),
        "request_id": problem.get("request_id") or response.headers.get("X-Request-ID"),
        "errors": tuple(error for error in problem.get("errors") or () if isinstance(error, Mapping)),
    }
    detail = str(problem.get("detail") or f"The server answered {response.status_code} {response.reason_phrase}.")
    if response.status_code in BUSY:
        return FeedbackUnavailableError(detail, retry_after=_retry_after(response), **more)
    return _KINDS.get(response.status_code, FeedbackError)(detail, **more)


@contextmanager
def no_answer_is_unavailable() -> Iterator[None]:
    """Turn what httpx raises when no answer comes into FeedbackUnavailableError."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        # A mistake in the address or a header: trying again would not help.
        raise FeedbackError(f"The request cannot be sent: {error}") from error
    except httpx.TransportError as error:
        reason = str(error) or "nothing more is known"
        raise FeedbackUnavailableError(f"No answer came ({type(error).__name__}: {reason}).") from error


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds to wait; the header holds seconds or a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
