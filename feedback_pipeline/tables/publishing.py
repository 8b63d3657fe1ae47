"""One publisher at a time for what is published below one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.tables.files import StorageError, filesystem


@contextmanager
def only_publisher(folder: str) -> Iterator[None]:
    """Let publishers on a local disk wait for each other; on an object store the pools of Dagster see to it.

    Raises:
        StorageError: the folder cannot be written.
    """
    fs, inner = filesystem(folder)
    if not isinstance(fs, LocalFileSystem):
        yield
        return
    try:
        Path(inner).mkdir(parents=True, exist_ok=True)
        lock = FileLock(Path(inner) / ".publishing.lock").acquire()
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}; make it writable") from error
    with lock:
        yield
