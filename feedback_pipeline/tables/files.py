"""Small files written so that a reader sees the old or the new content and nothing between."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


class StorageError(OSError):
    """The storage root could not be written; the text names the path and what to do."""


def filesystem(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the filesystem of a path or URL, and the path inside it."""
    return fsspec.core.url_to_fs(path)


def uncached(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the same as ``filesystem``, which forgets what it has listed: others may have written since."""
    fs, inner = filesystem(path)
    fs.invalidate_cache()
    return fs, inner


def write_bytes(path: str, content: bytes, *, durable: bool = True) -> None:
    """Write ``content`` at once: a rename on a local disk, a single put on an object store.

    With ``durable`` a local disk has it when this returns, even if the machine fails then; without, whoever relies on
    it has to have the disk written first (``os.sync``).

    Raises:
        StorageError: the disk is full or the folder cannot be written. What stood there before is untouched.

    """
    fs, inner = filesystem(path)
    try:
        if isinstance(fs, LocalFileSystem):
            _replace_local(Path(inner), content, durable)
        else:
            fs.pipe_file(inner, content)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; free space or set FEEDBACK_STORAGE_ROOT to a folder "
            "that can be written, then run again: nothing stored so far is lost"
        ) from error


def _replace_local(path: Path, content: bytes, durable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str, document: Any) -> None:
    """Write canonical JSON at once."""
    write_bytes(path, json_bytes(document))


def json_bytes(document: Any) -> bytes:
    """Return canonical JSON: sorted keys, final newline."""
    return (json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def canonical_bytes(document: Any) -> bytes:
    """Return JSON for machines: sorted keys, no blanks, final newline."""
    return (json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def read_bytes(path: str) -> bytes:
    """Return the content of a file. Raises OSError."""
    fs, inner = filesystem(path)
    content = fs.cat_file(inner)
    return content if isinstance(content, bytes) else content.encode()


def read_json(path: str) -> Any | None:
    """Return the parsed file, or None if there is no such file."""
    fs, inner = filesystem(path)
    try:
        return json.loads(fs.cat_file(inner))
    except (FileNotFoundError, NotADirectoryError):
        return None


def sha256(content: bytes) -> str:
    """Return the SHA-256 of ``content`` as hex."""
    return hashlib.sha256(content).hexdigest()
