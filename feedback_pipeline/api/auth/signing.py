"""Which keys tokens are checked with, decided once from the settings: a secret of ours or the keys of a provider."""

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import jwt

from feedback_pipeline.key_files import KeyCutShortError, key_from_file
from feedback_pipeline.settings import Settings

SHORTEST_SECRET_BYTES = 32
"""RFC 7518, 3.2: a key for HS256 must have at least as many bits as its hash."""

ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
FETCH_TIMEOUT_S = 5.0
LIFESPAN_S = 300.0
PAUSE_S, PAUSE_AFTER_FAILURE_S = 30.0, 5.0

WAYS_OUT = (
    "Set FEEDBACK_JWT_SECRET to a secret text of at least 32 bytes (`openssl rand -hex 32` makes one), "
    "or FEEDBACK_JWT_JWKS_URL to the keys of your identity provider."
)


class SigningKeyError(RuntimeError):
    """Tokens can be neither made nor checked; the text says why and the way out."""


class KeysAwayError(RuntimeError):
    """The keys of the identity provider cannot be fetched right now."""


class SigningKeys(Protocol):
    """Where the key for a token comes from, and which algorithms may have signed it."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Names of the algorithms, as in a token's header."""
        ...

    def key_for(self, header: dict[str, Any]) -> Any:
        """Return the key for a token with this header. Raises jwt.PyJWTError or KeysAwayError."""
        ...


@dataclass(frozen=True, repr=False)
class SharedSecret:
    """One secret, for HS256 alone."""

    secret: str
    algorithms: tuple[str, ...] = ("HS256",)

    def key_for(self, header: dict[str, Any]) -> Any:
        """Return the secret."""
        return self.secret


class ProviderKeys:
    """The public keys behind a JWKS URL, remembered for a while. Thread-safe."""

    def __init__(self, url: str, algorithms: tuple[str, ...]):
        self.algorithms = algorithms
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_TIMEOUT_S)
        self._lock = Lock()
        self._known: dict[str, Any] = {}
        self._stale_at = self._next_try = 0.0

    def key_for(self, header: dict[str, Any]) -> Any:
        """Return the public key that the token names. Raises jwt.PyJWKClientError or KeysAwayError."""
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not key_id:
            raise jwt.PyJWKClientError("The token names no key.")
        # Without the lock: while keys are fetched for one token, tokens with known keys must not wait.
        if key_id not in self._known or time.monotonic() >= self._stale_at:
            with self._lock:
                self._refresh(key_id)
        if key_id not in self._known:
            raise jwt.PyJWKClientError("The token names an unknown key.")
        return self._known[key_id]

    def _refresh(self, key_id: str) -> None:
        """Fetch the keys if they are old or ``key_id`` is new, but not again right after the last time.

        Else anybody could have the provider asked once per request, or let requests queue up behind its timeouts.
        """
        now = time.monotonic()
        is_fresh = now < self._stale_at
        if is_fresh and (key_id in self._known or now < self._next_try):
            return
        if now < self._next_try:
            raise KeysAwayError
        try:
            keys = self._client.get_signing_keys()
        except (jwt.PyJWTError, OSError, ValueError) as error:
            self._next_try = time.monotonic() + PAUSE_AFTER_FAILURE_S
            raise KeysAwayError from error
        self._known = {key.key_id: key.key for key in keys if key.key_id}
        self._stale_at = time.monotonic() + LIFESPAN_S
        self._next_try = time.monotonic() + PAUSE_S


def key_file(settings: Settings) -> Path:
    """Return where the secret of development lies."""
    return settings.local_root / "jwt.key"


def signing_keys(settings: Settings, *, development: bool = False) -> SigningKeys:
    """Return the keys that ``settings`` ask for.

    Args:
        settings: with a secret, or the URL of a provider.
        development: where neither is set, use the secret in ``jwt.key``, made now if there is none.

    Raises:
        SigningKeyError: none is set, both are, or what is set cannot be used.

    """
    if settings.jwt_secret is not None and settings.jwt_jwks_url:
        raise SigningKeyError("FEEDBACK_JWT_SECRET and FEEDBACK_JWT_JWKS_URL are both set: unset one of them.")
    if settings.jwt_jwks_url:
        return _provider(settings.jwt_jwks_url, settings.jwt_algorithms)
    if settings.jwt_secret is not None:
        return SharedSecret(_long_enough(settings.jwt_secret.get_secret_value()))
    if development:
        return SharedSecret(_generated(key_file(settings)))
    raise SigningKeyError(f"There is no key to check tokens with, and no default one. {WAYS_OUT}")


def _provider(url: str, names: str) -> ProviderKeys:
    algorithms = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not algorithms or not ASYMMETRIC.issuperset(algorithms):
        raise SigningKeyError(
            f"FEEDBACK_JWT_ALGORITHMS is {names!r}: with FEEDBACK_JWT_JWKS_URL it lists algorithms with public keys, "
            f"of {', '.join(sorted(ASYMMETRIC))}."
        )
    try:
        return ProviderKeys(url, algorithms)
    except jwt.PyJWKClientError as error:
        raise SigningKeyError("FEEDBACK_JWT_JWKS_URL is no URL that starts with https:// or http://.") from error


def _long_enough(secret: str) -> str:
    length = len(secret.encode())
    if length < SHORTEST_SECRET_BYTES:
        raise SigningKeyError(
            f"FEEDBACK_JWT_SECRET has {length} bytes, at least {SHORTEST_SECRET_BYTES} are needed. "
            "`openssl rand -hex 32` makes one."
        )
    return secret


def _generated(path: Path) -> str:
    try:
        return key_from_file(path)
    except KeyCutShortError as error:
        raise SigningKeyError(f"The key {error}. Delete it, and a new one is made.") from error
    except OSError as error:
        raise SigningKeyError(f"The key {path} cannot be used: {error.strerror}. {WAYS_OUT}") from error
