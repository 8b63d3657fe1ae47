"""One line and one measurement per request: what was asked for and how it ended, never who asked or what was said."""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedback_pipeline.api.auth.identity import NOBODY
from feedback_pipeline.api.metrics import Metrics

logger = logging.getLogger("feedback_pipeline.api.requests")

REQUEST_ID = "X-Request-ID"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
CLIENT_GONE = 499
"""Status in the log, as nginx writes it, of a request whose sender left before the answer began."""

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=-]{0,127}")


class RequestLog:
    """Gives each request an id, and notes when it is done."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is no HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = _request_id(scope)
        status = CLIENT_GONE
        begun = time.perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            self._note(scope, status, time.perf_counter() - begun)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = route_template(scope)
        self._metrics.note_request(method, route, status, seconds)
        state = scope["state"]
        caller = state.get("sender", NOBODY).caller
        fields = {
            "request_id": state["request_id"],
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1_000, 1),
            "role": caller.role.name.lower() if caller else None,
        }
        failure = state.get("failure")
        level = logging.INFO if failure is None else logging.WARNING if status < 500 or status == 503 else logging.ERROR
        logger.log(level, "request", extra=fields, exc_info=failure)


def route_template(scope: Scope) -> str:
    """Return the path as the routes are written, ``/feedback/{feedback_id}``: the path itself may hold an id."""
    route = scope.get("route")
    if path := getattr(route, "path", None):
        return path
    mounted = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    return f"{mounted}/{{path}}" if mounted else UNMATCHED


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _SANE_ID.fullmatch(given) else secrets.token_hex(16)
