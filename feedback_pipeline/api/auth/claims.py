"""What the claims of a verified token say of its caller. What is not understood is refused, never guessed."""

from collections.abc import Mapping
from typing import Any

from feedback_pipeline.api.auth.caller import Caller, Role
from feedback_pipeline.intake import values

ROLES = {role.name.lower(): role for role in Role}
MOST_ITEMS = 1_000


class InvalidClaimError(ValueError):
    """A claim is not what it has to be; the text names the claim, never its value."""


def caller_from(claims: Mapping[str, Any]) -> Caller:
    """Return the caller that ``claims`` describe. Raises InvalidClaimError."""
    return Caller(subject(claims.get("sub")), _role(claims), _databases(claims), _acts_for_users(claims))


def subject(value: Any) -> str:
    """Return the id of a user as the store would hash it. Raises InvalidClaimError."""
    try:
        found = values.name(value)
    except ValueError as error:
        raise InvalidClaimError(f"the claim sub {error}") from None
    if found is None:
        raise InvalidClaimError("the claim sub is empty")
    return found


def _role(claims: Mapping[str, Any]) -> Role:
    """Return the highest role; of ``roles``, which providers fill with those of other programs too, the known ones."""
    found = [Role.USER]
    if "role" in claims:
        if not isinstance(claims["role"], str) or claims["role"] not in ROLES:
            raise InvalidClaimError(f"the claim role is none of {', '.join(ROLES)}")
        found.append(ROLES[claims["role"]])
    if "roles" in claims:
        found += [ROLES[name] for name in _texts(claims["roles"], "roles") if name in ROLES]
    return max(found)


def _databases(claims: Mapping[str, Any]) -> frozenset[str] | None:
    return frozenset(_texts(claims["databases"], "databases")) if "databases" in claims else None


def _acts_for_users(claims: Mapping[str, Any]) -> bool:
    found = claims.get("acts_for_users", False)
    if not isinstance(found, bool):
        raise InvalidClaimError("the claim acts_for_users is neither true nor false")
    return found


def _texts(value: Any, claim: str) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS or not all(isinstance(item, str) for item in value):
        raise InvalidClaimError(f"the claim {claim} is no list of at most {MOST_ITEMS:,} texts")
    return value
