"""Signing in with a token, and out."""

import time
from typing import Annotated

import jwt
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from feedback_pipeline.api.auth.caller import Role
from feedback_pipeline.api.auth.claims import expiry
from feedback_pipeline.api.pages.page_route import PageRoute
from feedback_pipeline.api.pages.session import (
    MAX_TOKEN_CHARS,
    SIGN_IN,
    PostingReviewer,
    end_session,
    local_path,
    render,
    same_site,
    start_session,
)
from feedback_pipeline.api.problems import ProblemError
from feedback_pipeline.api.services import Services, Serving

LONGEST_SESSION_S = 400 * 24 * 60 * 60
"""So long do browsers keep a cookie at most."""

router = APIRouter(route_class=PageRoute)


@router.get(SIGN_IN)
def sign_in_form(request: Request, next: str | None = None) -> HTMLResponse:
    """Ask for a token."""
    return _form(request, local_path(next))


@router.post(SIGN_IN)
def sign_in(
    request: Request,
    services: Serving,
    token: Annotated[str, Form()] = "",
    next: Annotated[str | None, Form()] = None,
) -> Response:
    """Keep a reviewer's token in a cookie and go on; say why where it cannot be used."""
    next_path, token = local_path(next), token.strip().removeprefix("Bearer ").strip()
    if not same_site(request):
        return _form(request, next_path, 403, "This form was sent from another site. Sign in here.")
    try:
        services.rate_limits.take_sign_in(request)
        _check(services, token)
    except ProblemError as error:
        return _form(request, next_path, error.status, error.detail, _without_challenge(error))
    response = RedirectResponse(next_path, 303)
    start_session(request, response, token, seconds_left(token))
    return response


@router.post("/sign-out")
def sign_out(request: Request, reviewer: PostingReviewer) -> Response:
    """Forget the token."""
    response = RedirectResponse(SIGN_IN, 303)
    end_session(request, response)
    return response


def _check(services: Services, token: str) -> None:
    """Raise ProblemError unless ``token`` is that of a reviewer."""
    if not token:
        raise ProblemError(401, "Enter a token.")
    if len(token) > MAX_TOKEN_CHARS:
        raise ProblemError(401, f"Tokens have at most {MAX_TOKEN_CHARS:,} characters here: ask for a shorter one.")
    caller = services.authenticator.caller_of(token)
    if not caller.has(Role.REVIEWER):
        raise ProblemError(
            403, f"This token has the role {caller.role.name.lower()}. Reviewing needs the role reviewer or admin."
        )


def _without_challenge(error: ProblemError) -> dict[str, str]:
    """Return the headers of ``error`` but the one that asks programs for a bearer token."""
    return {name: value for name, value in error.headers.items() if name != "WWW-Authenticate"}


def seconds_left(token: str) -> int:
    """Return how long a cookie is to hold a verified token: as long as it is good for."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return min(max(0, int(expiry(claims) - time.time())), LONGEST_SESSION_S)


def _form(
    request: Request,
    next_path: str,
    status: int = 200,
    problem: str | None = None,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    return render(
        request,
        "sign_in.html",
        status,
        headers,
        next_path=next_path,
        problem=problem,
        max_chars=MAX_TOKEN_CHARS,
    )
