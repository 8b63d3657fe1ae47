"""What a route asks of its caller, written as the type of a parameter: ``caller: UserCaller``."""

from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from feedback_pipeline.api.auth.caller import Caller, Role
from feedback_pipeline.api.auth.claims import InvalidClaimError, subject
from feedback_pipeline.api.auth.identity import NOBODY, Identity
from feedback_pipeline.api.problems import ProblemError

ON_BEHALF_OF = "On-Behalf-Of"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    bearerFormat="JWT",
    description="`feedback-pipeline token --sub NAME` makes one for development.",
)
_Documented = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
_EndUser = Annotated[
    str | None,
    Header(
        alias=ON_BEHALF_OF,
        description="The end user a product's backend speaks for, in UTF-8. Its token needs the claim acts_for_users, "
        "or the role admin; others are refused. The request then has the rights of that user.",
    ),
]


async def _caller(request: Request, _credentials: _Documented) -> Caller:
    identity: Identity = getattr(request.state, "identity", NOBODY)
    if identity.problem is not None:
        raise identity.problem
    if identity.caller is None:
        headers = {"WWW-Authenticate": "Bearer"}
        raise ProblemError(401, "Send a token: Authorization: Bearer <JWT>.", code="no_token", headers=headers)
    return identity.caller


_Verified = Annotated[Caller, Depends(_caller)]


async def _user(caller: _Verified, end_user: _EndUser = None) -> Caller:
    return caller if end_user is None else _speaking_for(caller, end_user)


def _speaking_for(caller: Caller, end_user: str) -> Caller:
    if not caller.may_act_for_users:
        detail = f"Only a token with acts_for_users, or the role admin, may send {ON_BEHALF_OF}."
        raise ProblemError(403, detail, code="may_not_act_for_users")
    try:
        # The web frameworks read headers as Latin-1; ids are UTF-8 wherever else they come from.
        return caller.as_user(subject(end_user.encode("latin-1").decode()))
    except (InvalidClaimError, UnicodeError):
        detail = f"{ON_BEHALF_OF} is empty, too long or not UTF-8."
        raise ProblemError(422, detail, code="invalid_request", errors=[_FIELD_ERROR]) from None


_FIELD_ERROR = {"field": f"header.{ON_BEHALF_OF}", "message": "is no user id of 1 to 200 characters in UTF-8"}


def _needs(role: Role):
    async def check(request: Request, caller: _Verified) -> Caller:
        if ON_BEHALF_OF in request.headers:
            raise ProblemError(403, f"{ON_BEHALF_OF} is for what users do themselves.", code="may_not_act_for_users")
        if not caller.has(role):
            raise ProblemError(403, f"This needs the role {role.name.lower()}.", code="role_missing")
        return caller

    return check


UserCaller = Annotated[Caller, Depends(_user)]
"""Anybody with a token; with ``On-Behalf-Of`` the user a backend speaks for."""

ReviewerCaller = Annotated[Caller, Depends(_needs(Role.REVIEWER))]
AdminCaller = Annotated[Caller, Depends(_needs(Role.ADMIN))]
