"""Finds out who sends a request, and refuses those who send too many."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from feedback_pipeline.api.auth.authenticator import Authenticator
from feedback_pipeline.api.auth.identity import NOBODY, Identity, identify, identity_of
from feedback_pipeline.api.middleware.refusals import refusal
from feedback_pipeline.api.pages import assets
from feedback_pipeline.api.pages.session import session_token
from feedback_pipeline.api.problems import ProblemError
from feedback_pipeline.api.rate_limits import RateLimits

UNLIMITED = frozenset({"/healthz", "/readyz"})
"""Asked for by whoever restarts the server when there is no answer, or sends no requests before there is one."""


class Callers:
    """Leaves in the request's state who may act (``identity``) and who is counted and logged (``sender``).

    A cookie never opens a route for programs, since browsers send it along with what other sites ask for. But it tells
    the reviewers behind one address apart.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator, rate_limits: RateLimits):
        self.app, self._authenticator, self._rate_limits = app, authenticator, rate_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or _is_unlimited(scope["path"]):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        identity = request.state.identity = await identify(request, self._authenticator)
        sender = request.state.sender = await self._sender(request, identity)
        try:
            self._rate_limits.take_request(request, sender)
        except ProblemError as error:
            refused = refusal(request, error.status, error.detail, code=error.code, headers=error.headers)
            await refused(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _sender(self, request: Request, identity: Identity) -> Identity:
        token = session_token(request)
        return await identity_of(token, self._authenticator) if identity == NOBODY and token else identity


def _is_unlimited(path: str) -> bool:
    return path in UNLIMITED or path.startswith(f"{assets.PREFIX}/")
