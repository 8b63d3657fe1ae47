"""What becomes of errors: a problem document (RFC 9457) that names what is wrong and the way out, nothing more."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_S = 2
"""Seconds after which a request that met an unavailable store may be sent again."""

EVERYWHERE = (400, 413, 422, 429, 500, 503)
"""Statuses any route may answer with, because of what stands around it."""

_WHEN = {
    400: "The request cannot be read.",
    401: "No token, or one that cannot be used.",
    403: "The caller may not do this.",
    404: "There is no such thing, or the caller may not see it.",
    409: "What is there now does not allow it.",
    413: "The body is too large.",
    422: "Fields are missing or wrong; `errors` names them.",
    429: "Too many requests; `Retry-After` says when to go on.",
    500: "A mistake in the server; the log holds more under the `request_id`.",
    503: "Something the answer needs is away; `Retry-After` says when to try again.",
}
_ANSWERED_WITH = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


class FieldError(BaseModel):
    """One field that is wrong: where it stands in the request, and what is expected. Never its value."""

    field: str
    message: str


class Problem(BaseModel):
    """A problem document. ``code`` is for programs, ``detail`` for people."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = Field(default=None, description="What the answer's X-Request-ID and the log say.")
    errors: list[FieldError] | None = None


class ProblemError(Exception):
    """A request cannot be answered as asked; ``detail`` is written for its sender, ``more`` added to the document."""

    def __init__(
        self, status: int, detail: str, *, code: str | None = None, headers: dict[str, str] | None = None, **more: Any
    ):
        super().__init__(detail)
        self.status, self.detail, self.code, self.headers, self.more = status, detail, code, headers or {}, more


def problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
    **more: Any,
) -> Response:
    """Return the answer that says ``detail``; half of a character pair in it becomes a question mark."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code or HTTPStatus(status).phrase.lower().replace(" ", "_"),
        **({"request_id": request_id} if request_id else {}),
        **more,
    }
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route declares as ``responses=`` to say that it may answer with these problems."""
    return {status: _declared(status) for status in statuses}


def _declared(status: int) -> dict[str, Any]:
    declared: dict[str, Any] = {
        "description": _WHEN.get(status, HTTPStatus(status).phrase),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if name := _ANSWERED_WITH.get(status):
        declared["headers"] = {name: {"schema": {"type": "string"}}}
    return declared
