"""``feedback-pipeline token``: tokens for development."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from feedback_pipeline.cli.boundary import UserError
from feedback_pipeline.cli.output import JsonOption, print_json
from feedback_pipeline.settings import get_settings

if TYPE_CHECKING:
    from feedback_pipeline.settings import Settings

_TTL = re.compile(r"(\d{1,6})\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST = timedelta(days=366)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("token")(token)


def token(
    sub: Annotated[str, typer.Option(help="Id of the user, as your product knows it.")],
    role: Annotated[Literal["user", "reviewer", "admin"], typer.Option(help="What the user may do.")] = "user",
    database: Annotated[
        list[str] | None, typer.Option(help="A database the user is limited to; again for more. Default: all.")
    ] = None,
    acts_for_users: Annotated[
        bool, typer.Option("--acts-for-users", help="For a product's backend, which names its users in On-Behalf-Of.")
    ] = False,
    ttl: Annotated[str, typer.Option(help="How long it is good for, such as 30m, 8h or 7d.")] = "8h",
    as_json: JsonOption = False,
) -> None:
    """Print a token for development, signed with FEEDBACK_JWT_SECRET or the generated secret."""
    settings = get_settings()
    claims = _claims(settings, sub, role, database, acts_for_users)
    now = datetime.now(UTC).replace(microsecond=0)
    expires_at = now + _lifetime(ttl)
    signed = _signed({**claims, "iat": now, "exp": expires_at}, settings)
    if as_json:
        print_json({"token": signed, "expires_at": expires_at, "claims": claims})
        return
    typer.echo(signed)
    typer.echo(f"good until {expires_at.isoformat(sep=' ')}; send it as 'Authorization: Bearer …'", err=True)


def _claims(
    settings: "Settings", sub: str, role: str, databases: list[str] | None, acts_for_users: bool
) -> dict[str, Any]:
    from feedback_pipeline.api.auth.claims import InvalidClaimError, caller_from

    limits = {"databases": databases} if databases else {}
    rights = {"acts_for_users": True} if acts_for_users else {}
    claims = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience, "sub": sub, "role": role, **limits, **rights}
    try:
        caller_from(claims)
    except InvalidClaimError as error:
        raise UserError(f"no token can be made: {error}") from error
    return claims


def _lifetime(text: str) -> timedelta:
    found = _TTL.fullmatch(text.strip().lower())
    lifetime = timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else timedelta()
    if not timedelta() < lifetime <= _LONGEST:
        raise UserError(f"--ttl is {text!r}: write a number and s, m, h or d, at most {_LONGEST.days}d, such as 8h")
    return lifetime


def _signed(claims: dict[str, Any], settings: "Settings") -> str:
    import jwt

    from feedback_pipeline.api.auth.signing import SharedSecret, key_file, signing_keys

    if settings.jwt_jwks_url:
        raise UserError("tokens come from your identity provider (FEEDBACK_JWT_JWKS_URL is set): ask it for one")
    keys = signing_keys(settings, development=True)
    assert isinstance(keys, SharedSecret)
    if settings.jwt_secret is None:
        typer.echo(f"signed with the generated {key_file(settings)}: good for a server on this machine", err=True)
    return jwt.encode(claims, keys.secret, algorithm="HS256")
