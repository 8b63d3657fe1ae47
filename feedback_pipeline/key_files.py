"""Secrets that nobody has to choose: a random key in a file, made once and readable for its owner alone."""

import os
import secrets
import time
from pathlib import Path

KEY_BYTES = 32
KEY_CHARS = 2 * KEY_BYTES
WAIT_S = 2.0


class KeyCutShortError(ValueError):
    """A key file holds less than a key; the text names it and says how much is there."""


def key_from_file(path: Path) -> str:
    """Return the key in ``path``, 64 hexadecimal characters, made now if there is none.

    Raises:
        KeyCutShortError: the file holds less.
        OSError: it cannot be made or read.

    """
    _create_once(path)
    # Its creator may be between creating and writing it.
    deadline = time.monotonic() + WAIT_S
    while len(key := path.read_text().strip()) < KEY_CHARS:
        if time.monotonic() > deadline:
            raise KeyCutShortError(f"{path} is cut short ({len(key)} of {KEY_CHARS} characters)")
        time.sleep(0.02)
    return key


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
