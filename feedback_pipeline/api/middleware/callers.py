"""Finds out who sends a request, and refuses those who send too many."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from feedback_pipeline.api.auth.authenticator import Authenticator
from feedback_pipeline.api.auth.identity import identify
from feedback_pipeline.api.failures import request_id_of
from feedback_pipeline.api.problems import ProblemError, problem
from feedback_pipeline.api.rate_limits import RateLimits

UNLIMITED = frozenset({"/healthz"})
"""Asked for by whoever restarts the server when there is no answer."""


class Callers:
    """Leaves the identity in the request's state for the guard of the routes."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, rate_limits: RateLimits):
        self.app, self._authenticator, self._rate_limits = app, authenticator, rate_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        identity = request.state.identity = await identify(request, self._authenticator)
        try:
            self._rate_limits.take_request(request, identity)
        except ProblemError as error:
            refusal = problem(
                error.status,
                error.detail,
                code=error.code,
                headers=error.headers,
                request_id=request_id_of(request),
            )
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)
