"""Who said it, without knowing who: user ids become HMAC-SHA256 digests before they reach the store."""

import hashlib
import hmac
from functools import cached_property
from pathlib import Path

from feedback_pipeline.key_files import KeyCutShortError, key_from_file
from feedback_pipeline.settings import Settings


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
        return key_from_file(path).encode()
    except KeyCutShortError as error:
        way_out = "Restore it from a backup; delete it only if the store holds no users yet."
        raise HashKeyError(f"The hash key {error}. {way_out}") from error
    except OSError as error:
        way_out = "Make it readable for this user, or set FEEDBACK_HASH_KEY."
        raise HashKeyError(f"The hash key {path} cannot be used: {error.strerror}. {way_out}") from error
