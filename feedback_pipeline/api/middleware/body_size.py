"""Refuses bodies that say themselves that they are too large, before anything of them is read."""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from feedback_pipeline.api.middleware.refusals import refusal


class DeclaredSizeLimit:
    """Looks at Content-Length; that it is no lie is seen to by the server."""

    def __init__(self, app: ASGIApp, largest: int):
        self.app, self._largest = app, largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and self._is_too_large(Headers(scope=scope).get("content-length", "")):
            detail = f"The body is larger than {self._largest:,} bytes."
            answer = refusal(Request(scope), 413, detail, code="body_too_large")
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_too_large(self, length: str) -> bool:
        return length.isdecimal() and int(length) > self._largest
