"""What the claims of a verified token say of its caller. What is not understood is refused, never guessed."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from feedback_pipeline.api.auth.caller import Caller, Role
from feedback_pipeline.intake import values

ROLES = {role.name.lower(): role for role in Role}
MOST_ITEMS = 1_000

LAST_SECOND = 253_402_300_799
"""The end of the year 9999. Whoever writes milliseconds names a later one."""

UNSEEN = {"Cc": "control", "Cf": "format", "Zl": "line", "Zp": "line"}
"""Unicode categories of characters that do not show, so that ids which differ in them alone look the same."""


class InvalidClaimError(ValueError):
    """A claim is not what it has to be; the text names the claim, never its value."""


def caller_from(claims: Mapping[str, Any]) -> Caller:
    """Return the caller that ``claims`` describe. Raises InvalidClaimError."""
    return Caller(_visible(claims.get("sub")), _role(claims), _databases(claims), _acts_for_users(claims))


def subject(value: Any) -> str:
    """Return the id of a user as the store would hash it. Raises InvalidClaimError."""
    try:
        found = values.name(value)
    except ValueError as error:
        raise InvalidClaimError(f"the claim sub {error}") from None
    if found is None:
        raise InvalidClaimError("the claim sub is empty")
    return found


def expiry(claims: Mapping[str, Any]) -> float:
    """Return when the token ends, in seconds since 1970. Raises InvalidClaimError."""
    found = claims.get("exp")
    # The library takes whatever int() takes, a text of digits and true among it.
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= LAST_SECOND:
        raise InvalidClaimError("the claim exp is no time in seconds since 1970")
    return found


def _visible(value: Any) -> str:
    """Return the id of a caller; reviewers are known to each other by it, so every character has to show."""
    if isinstance(value, str):
        for place, character in enumerate(value, start=1):
            if kind := UNSEEN.get(unicodedata.category(character)):
                raise InvalidClaimError(f"the claim sub holds a {kind} character (character {place})")
    return subject(value)


def _role(claims: Mapping[str, Any]) -> Role:
    """Return ``role`` where it is there, else the highest of ``roles``.

    Providers fill ``roles`` with those of other programs too; only the known ones count.
    """
    listed = [ROLES[name] for name in _texts(claims.get("roles", []), "roles") if name in ROLES]
    if "role" not in claims:
        return max(listed, default=Role.USER)
    if not isinstance(claims["role"], str) or claims["role"] not in ROLES:
        raise InvalidClaimError(f"the claim role is none of {', '.join(ROLES)}")
    return ROLES[claims["role"]]


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
