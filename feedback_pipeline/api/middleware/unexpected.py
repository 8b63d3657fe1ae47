"""The last resort: mistakes of ours are told with the id of the request, and logged without what was said in it."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedback_pipeline.api.problems import problem


class UnexpectedErrors:
    """Turns whatever nobody expected into status 500."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def note_begin(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, note_begin)
        except Exception as error:  # noqa: BLE001 - nothing above this could tell it without quoting the request
            state = Request(scope).state
            state.failure = error
            if begun:
                # Too late for another answer; a server that meets an answer without an end closes the connection.
                return
            detail = "This is a mistake in the server. Its log holds more under this request_id."
            answer = problem(500, detail, code="internal_error", request_id=getattr(state, "request_id", None))
            await answer(scope, receive, send)
