"""Checks bearer tokens: signature, issuer, audience, time, and what their claims say of the caller."""

from typing import Any

import jwt

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.auth.claims import InvalidClaimError, caller_from, expiry
from feedback_pipeline.api.auth.signing import KeysAwayError, ProviderKeys, SigningKeyError, SigningKeys, signing_keys
from feedback_pipeline.api.problems import RETRY_AFTER_S, ProblemError
from feedback_pipeline.settings import Settings

__all__ = ["Authenticator", "SigningKeyError", "authenticator_from"]

LEEWAY_S = 10
"""How far the clocks of issuer and server may be apart."""

LONGEST_TOKEN = 8_192

_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "it has expired; get a new one"),
    (jwt.ImmatureSignatureError, "it is not valid yet; look at the clocks of issuer and server"),
    (jwt.InvalidAudienceError, "it was issued for another audience (aud)"),
    (jwt.InvalidIssuerError, "it comes from another issuer (iss)"),
    (jwt.InvalidSignatureError, "its signature does not match"),
    (jwt.InvalidAlgorithmError, "it is signed with an algorithm that is not accepted here"),
    (jwt.PyJWKClientError, "its key (kid) is not among those of the identity provider"),
)
"""Said instead of the library's words, which may quote parts of a token."""


class Authenticator:
    """Turns tokens into callers. Thread-safe."""

    def __init__(self, settings: Settings, keys: SigningKeys):
        self._issuer, self._audience, self._keys = settings.jwt_issuer, settings.jwt_audience, keys

    @property
    def may_wait(self) -> bool:
        """Tell whether checking a token can take long, because keys are fetched for it."""
        return isinstance(self._keys, ProviderKeys)

    def caller_of(self, token: str) -> Caller:
        """Return who ``token`` was given to.

        Raises:
            ProblemError: 401, the token cannot be used; 503, the provider's keys are away.

        """
        try:
            claims = self._claims(token)
            expiry(claims)
            return caller_from(claims)
        except KeysAwayError as error:
            raise keys_away() from error
        except InvalidClaimError as error:
            raise invalid_token(str(error)) from None
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise invalid_token(_reason(error)) from None

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST_TOKEN:
            raise jwt.DecodeError
        return jwt.decode(
            token,
            self._keys.key_for(jwt.get_unverified_header(token)),
            algorithms=self._keys.algorithms,
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_S,
            options={"require": ["exp", "sub"]},
        )


def authenticator_from(settings: Settings, *, development: bool = False) -> Authenticator:
    """Return the authenticator that ``settings`` ask for; ``development`` is explained at ``signing_keys``.

    Raises:
        SigningKeyError: tokens cannot be checked with these settings.

    """
    return Authenticator(settings, signing_keys(settings, development=development))


def invalid_token(reason: str) -> ProblemError:
    """Return the answer to a token that cannot be used (RFC 6750)."""
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return ProblemError(401, f"The token cannot be used: {reason}.", code="invalid_token", headers=headers)


def keys_away() -> ProblemError:
    """Return the answer while nobody can tell whether a token is good."""
    detail = "The identity provider's keys cannot be fetched right now. Try again in a moment."
    return ProblemError(503, detail, code="keys_unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})


def _reason(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the claim {error.claim} is missing"
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "it is no readable JWT")
