"""One process at a time: a lock the operating system gives back when its holder dies, however it dies."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback_pipeline.tables.files import StorageError

logger = logging.getLogger(__name__)


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path`` of a local disk; wait, and say so, while another process or thread holds it.

    Raises:
        StorageError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; make its folder writable") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.warning("waiting for another process that is %s", what)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
