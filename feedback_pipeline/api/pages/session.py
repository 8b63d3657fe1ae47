"""Who is signed in: the token in a cookie, what forms prove with it, and the parameters of pages that need a reviewer.

The cookie holds the token itself, so a session ends when the token does and nothing about it is stored here. Every form
carries a value that only whoever knows the token can work out (an HMAC of a fixed text under it), so another site
cannot send a form in the reviewer's name.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, Response

from feedback_pipeline.api.auth.caller import Caller, Role
from feedback_pipeline.api.pages import flash
from feedback_pipeline.api.pages.rendering import render_page
from feedback_pipeline.api.problems import ProblemError
from feedback_pipeline.api.services import Serving

SIGN_IN = "/sign-in"
HOME = "/review"
MAX_TOKEN_CHARS = 3_800
"""A browser keeps no cookie of more than 4,096 bytes, name and attributes included."""

_COOKIE = "feedback_session"
_CSRF_TEXT = b"feedback-pipeline form"


class SignInNeededError(Exception):
    """Nobody is signed in, or not any longer; ``next_path`` is where to go on afterwards."""

    def __init__(self, next_path: str):
        super().__init__("sign in first")
        self.next_path = next_path


@dataclass(frozen=True)
class PageSession:
    """A reviewer who is signed in."""

    caller: Caller
    token: str

    @property
    def csrf(self) -> str:
        """What every form of this session carries."""
        return csrf_token(self.token)

    @property
    def is_admin(self) -> bool:
        """Tell whether bulk decisions are allowed."""
        return self.caller.has(Role.ADMIN)


def csrf_token(token: str) -> str:
    """Return what forms of the session of ``token`` prove their origin with."""
    return hmac.new(token.encode(), _CSRF_TEXT, hashlib.sha256).hexdigest()


def cookie_name(request: Request) -> str:
    """Return the name of the cookie: over https one that no other host and no plain http can set."""
    return f"__Host-{_COOKIE}" if _is_https(request) else _COOKIE


def session_token(request: Request) -> str | None:
    """Return the token that the browser keeps, unchecked."""
    return request.cookies.get(cookie_name(request))


def start_session(request: Request, response: Response, token: str, seconds: int) -> None:
    """Have the browser keep ``token`` for ``seconds``."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=seconds,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )


def end_session(request: Request, response: Response) -> None:
    """Have the browser forget the token."""
    response.delete_cookie(cookie_name(request), path="/", secure=_is_https(request), httponly=True, samesite="strict")


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"


def local_path(path: str | None) -> str:
    """Return ``path`` if it leads to a page here, else the queue: nobody is sent to another site."""
    path = path or HOME
    parts = urlsplit(path)
    is_plain = path.isprintable() and "\\" not in path
    is_local = path.startswith("/") and not path.startswith("//") and not parts.scheme and not parts.netloc
    leads_back = parts.path in (SIGN_IN, "/sign-out")
    return path if is_plain and is_local and not leads_back else HOME


def sign_in_path(next_path: str) -> str:
    """Return the address of the sign-in page that goes on to ``next_path``."""
    return f"{SIGN_IN}?{urlencode({'next': next_path})}" if next_path != HOME else SIGN_IN


def same_site(request: Request) -> bool:
    """Tell whether a form was sent by a page of this site, as far as the browser says where it came from."""
    fetched = request.headers.get("sec-fetch-site")
    if fetched is not None and fetched not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _session(request: Request, services: Serving) -> PageSession:
    """Return who is signed in. Raises SignInNeededError or ProblemError (403)."""
    token = session_token(request)
    if not token:
        raise SignInNeededError(_page_of(request))
    try:
        caller = services.authenticator.caller_of(token)
    except ProblemError as error:
        if error.status != 401:
            raise
        raise SignInNeededError(_page_of(request)) from error
    if not caller.has(Role.REVIEWER):
        raise ProblemError(403, "This needs the role reviewer.", code="role_missing")
    session = PageSession(caller, token)
    request.state.session = session
    return session


def _page_of(request: Request) -> str:
    """Return the page to come back to: of a form, the page that holds it."""
    if request.method == "GET":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    parts = request.url.path.strip("/").split("/")
    return "/" + "/".join(parts[:3]) if parts[:2] == ["review", "items"] else HOME


Session = Annotated[PageSession, Depends(_session)]
"""Parameter of a page that needs a reviewer, with the token's session."""


def _reviewer(session: Session) -> Caller:
    return session.caller


PageReviewer = Annotated[Caller, Depends(_reviewer)]
"""Parameter of a page that needs a reviewer; others are sent to the sign-in page."""


def _posting(request: Request, session: Session, csrf: Annotated[str | None, Form()] = None) -> Caller:
    """Return who sent a form. Raises ProblemError (403) for a form that another site may have sent."""
    is_ours = hmac.compare_digest((csrf or "").encode(), session.csrf.encode())
    if not is_ours or not same_site(request):
        raise ProblemError(
            403,
            "This form was not sent from a page of your session. Nothing has been changed: open the page again and "
            "send it from there.",
            code="foreign_form",
        )
    return session.caller


PostingReviewer = Annotated[Caller, Depends(_posting)]
"""Parameter of what a form sends: a reviewer whose form proves that it is theirs."""


def render(
    request: Request, template: str, status: int = 200, headers: dict[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """Return a page of ``templates``, with what has just happened at its top; see ``rendering.render_page``."""
    session: PageSession | None = getattr(request.state, "session", None)
    if session is not None and "flash" not in context:
        context["flash"] = flash.waiting(request, session.token)
    response = render_page(request, template, status, headers, **context)
    if context.get("flash"):
        flash.drop(request, response)
    return response


def tell(request: Request, response: Response, message: flash.Flash) -> None:
    """Have the next page of whoever is signed in show ``message``."""
    session: PageSession = request.state.session
    flash.leave(request, response, message, session.token)
