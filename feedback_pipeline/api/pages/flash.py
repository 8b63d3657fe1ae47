"""What has just happened, told on the next page: kept in a signed cookie for a minute, never in an address."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Literal

from fastapi import Request
from fastapi.responses import Response

MAX_DETAIL_CHARS = 600

_COOKIE = "feedback_flash"
_SECONDS = 60
_PURPOSE = b"feedback-pipeline flash\0"

Tone = Literal["good", "bad", "warn", "info"]


@dataclass(frozen=True)
class Flash:
    """A line at the top of a page; ``link`` leads to what it is about."""

    tone: Tone
    heading: str
    detail: str | None = None
    link: str | None = None
    link_text: str | None = None


def leave(request: Request, response: Response, flash: Flash, token: str) -> None:
    """Have the next page of the session of ``token`` show ``flash``."""
    shortened = {**asdict(flash), "detail": flash.detail and flash.detail[:MAX_DETAIL_CHARS]}
    body = base64.urlsafe_b64encode(json.dumps(shortened).encode()).decode()
    response.set_cookie(
        _COOKIE,
        f"{body}.{_signature(body, token)}",
        max_age=_SECONDS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def waiting(request: Request, token: str) -> Flash | None:
    """Return what was left for this page by the same session; anything else is ignored."""
    body, _, signature = request.cookies.get(_COOKIE, "").partition(".")
    if not body or not hmac.compare_digest(signature.encode(), _signature(body, token).encode()):
        return None
    try:
        return Flash(**json.loads(base64.urlsafe_b64decode(body)))
    except (binascii.Error, ValueError, TypeError):
        return None


def drop(request: Request, response: Response) -> None:
    """Have the browser forget what has been shown."""
    if _COOKIE in request.cookies:
        response.delete_cookie(_COOKIE, path="/", httponly=True, samesite="strict")


def _signature(body: str, token: str) -> str:
    return hmac.new(token.encode(), _PURPOSE + body.encode(), hashlib.sha256).hexdigest()
