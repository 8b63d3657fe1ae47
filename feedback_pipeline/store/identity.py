"""Who said it, without knowing who: user ids become HMAC-SHA256 digests before they reach the store."""

import hashlib
import hmac
import os
import secrets
import time
from functools import cached_property
from pathlib import Path

from feedback_pipeline.settings import Settings

KEY_BYTES = 32
KEY_CHARS = 2 * KEY_BYTES
WAIT_S = 2.0


class HashKeyError(RuntimeError):
    """The secret for hashing user ids is missing or broken; the text says where and the way out."""


class UserHasher:
    """Turns a user id into 64 hex characters, always the same ones for the same key.

    The key is ``FEEDBACK_HASH_KEY``, or else a file created on first use. Machines that share a store must
    share the key.
    """

    def __init__(self, settings: Settings):
        self._secret = settings.hash_key
        self._key_file = settings.local_root / "hash.key"

    def __call__(self, user_id: str) -> str:
        """Return the digest of ``user_id``. Raises HashKeyError when there is no usable key."""
        return hmac.new(self._key, user_id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    @cached_property
    def _key(self) -> bytes:
        if self._secret is None:
            return _key_from_file(self._key_file)
        if not self._secret.get_secret_value():
            raise HashKeyError("FEEDBACK_HASH_KEY is empty: set it to a secret text, or unset it to use a key file.")
        return self._secret.get_secret_value().encode()


def _key_from_file(path: Path) -> bytes:
    try:
        _create_once(path)
        return _read(path)
    except OSError as error:
        way_out = "Make it readable for this user, or set FEEDBACK_HASH_KEY."
        raise HashKeyError(f"The hash key {path} cannot be used: {error.strerror}. {way_out}") from error


def _create_once(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # O_EXCL: of several processes that start at once, exactly one makes the key.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES))


def _read(path: Path) -> bytes:
    # Its creator may be between creating and writing it.
    deadline = time.monotonic() + WAIT_S
    while len(key := path.read_text().strip()) < KEY_CHARS:
        if time.monotonic() > deadline:
            way_out = "Restore it from a backup; delete it only if the store holds no users yet."
            raise HashKeyError(f"The hash key {path} is cut short ({len(key)} of {KEY_CHARS} characters). {way_out}")
        time.sleep(0.02)
    return key.encode()
