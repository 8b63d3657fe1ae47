"""Moving ``production.json`` so that nobody's move is lost, also where no lock keeps others away.

On a local disk whoever moves the pointer holds a lock. On an object store it is read once more right before it is
written, and S3 itself refuses the put where another process was quicker (``If-Match``).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Literal

from feedback_pipeline.reranker.models.model import name_of
from feedback_pipeline.reranker.models.promotion import Production, ProductionMovedError, read_production
from feedback_pipeline.tables.files import StorageError, filesystem, json_bytes, uncached, write_json

Expected = Production | None | Literal["any"]
"""What somebody has decided upon: the pointer as they read it, None where there was none, or ``any``."""

_ATTEMPTS = 5


def move_production(path: str, moved: Callable[[Production], Production]) -> Production:
    """Move the pointer to what ``moved`` makes of it; where somebody was quicker, to what it makes of their move.

    Args:
        path: of ``production.json``.
        moved: returns what is to stand there; what it was given: nothing is written. It is called again wherever the
            pointer has changed meanwhile, and may raise.

    Returns:
        What stands there now.

    Raises:
        ProductionMovedError: others have moved it each time.
        DamagedPointerError: nobody knows what is in production.
        StorageError: the storage cannot be written; the pointer stands where it stood.

    """
    for _ in range(_ATTEMPTS):
        seen = read_production(path)
        wanted = moved(seen or Production())
        if wanted == (seen or Production()) or _replaced(path, seen, wanted):
            return wanted
    raise ProductionMovedError(f"{path} was moved by somebody else {_ATTEMPTS} times in a row; look, then run again")


def refuse_unexpected(version: int, expected: Expected, now: Production) -> None:
    """Raise ProductionMovedError where the pointer is not the one that it was decided upon to promote ``version``."""
    if expected == "any" or now == (expected or Production()):
        return
    last = now.history[-1] if now.history else None
    by = f"{last.action} by {last.by}: {last.reason}" if last else "the pointer is gone"
    raise ProductionMovedError(
        f"{name_of(version)} was to replace {_called((expected or Production()).version)}, but production was moved "
        f"meanwhile: {_called(now.version)} is there now ({by}). It stays. To promote {name_of(version)} all the same: "
        f"feedback-pipeline model promote v{version}"
    )


def _called(version: int | None) -> str:
    return "no model" if version is None else name_of(version)


def _replaced(path: str, seen: Production | None, wanted: Production) -> bool:
    """Write ``wanted`` where ``seen`` still stands there; tell whether it did. Raises StorageError."""
    condition = _condition(path)
    # Between reading and this, all files of a model were read: somebody else may have moved the pointer.
    if read_production(path) != seen:
        return False
    try:
        _write(path, wanted, condition)
    except StorageError:
        now = read_production(path)
        if now == seen:
            raise
        # A put that is repeated because its answer was lost is refused for the sake of the first.
        return now is not None and now.history[: len(wanted.history)] == wanted.history
    return True


def _condition(path: str) -> dict[str, str]:
    """Return arguments that let a put fail if what stands there now does not any more; empty but for S3."""
    fs, inner = uncached(path)
    if "s3" not in fs.protocol:
        return {}
    try:
        return {"IfMatch": fs.info(inner)["ETag"]}
    except FileNotFoundError:
        return {"IfNoneMatch": "*"}


def _write(path: str, production: Production, condition: dict[str, str]) -> None:
    if not condition:
        write_json(path, production.to_json())
        return
    fs, inner = filesystem(path)
    try:
        fs.pipe_file(inner, json_bytes(production.to_json()), **condition)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            # Not everything that speaks S3 has conditions.
            write_json(path, production.to_json())
            return
        raise StorageError(f"cannot write {path}: {error.strerror or error}; what is in production stays") from error
