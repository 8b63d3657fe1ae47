"""Who sent a request, found out once before any route sees it."""

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from feedback_pipeline.api.auth.authenticator import Authenticator
from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.problems import ProblemError


@dataclass(frozen=True)
class Identity:
    """The caller of a verified token, or why the token that was sent cannot be used; neither where none was sent."""

    caller: Caller | None = None
    problem: ProblemError | None = None


NOBODY = Identity()


async def identify(request: HTTPConnection, authenticator: Authenticator) -> Identity:
    """Check the bearer token of ``request``; public routes answer whatever comes out."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return NOBODY
    return await identity_of(token.strip(), authenticator)


async def identity_of(token: str, authenticator: Authenticator) -> Identity:
    """Return whose token it is, or why it cannot be used."""
    try:
        if authenticator.may_wait:
            return Identity(await run_in_threadpool(authenticator.caller_of, token))
        return Identity(authenticator.caller_of(token))
    except ProblemError as error:
        return Identity(problem=error)
