"""Bringing files here from a local folder, an object store or a plain HTTP server: continued, retried and verified."""

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import BinaryIO

from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    wait_random_exponential,
)

from feedback_pipeline.finetune.catalog import DamagedReleaseError
from feedback_pipeline.finetune.reading.release_files import ReleaseFile
from feedback_pipeline.finetune.reading.sources import (
    ATTEMPTS,
    MAX_WAIT_S,
    MissingFileError,
    Source,
    TransientSourceError,
    given_up,
)
from feedback_pipeline.tables.files import StorageError

Progress = Callable[[int, int], None]
"""Called with the bytes that are here and verified or under way, and those there will be; from any thread."""


class _StoppedError(Exception):
    """Another file could not be had, so this one is not wanted any more."""


class Tally:
    """Counts bytes for all threads, and tells them when to stop."""

    def __init__(self, total: int, progress: Progress | None):
        self._total, self._progress, self._done = total, progress, 0
        self._lock, self.stopped = threading.Lock(), threading.Event()
        self.transferred = self.resumed = 0

    def add(self, count: int, *, transferred: int = 0, resumed: int = 0) -> None:
        """Count bytes that are here; negative ones were thrown away."""
        if self.stopped.is_set():
            raise _StoppedError
        with self._lock:
            self._done += count
            self.transferred += transferred
            self.resumed += resumed
            if self._progress:
                self._progress(self._done, self._total)


class _Part:
    """What has arrived of a file, with its running hash."""

    def __init__(self, file: BinaryIO, wanted: ReleaseFile, tally: Tally):
        self._file, self._wanted, self.tally = file, wanted, tally
        self.size, self.furthest, self._hash = 0, 0, hashlib.sha256()
        self._read_what_is_there()
        self.resumed = self.size > 0

    def _read_what_is_there(self) -> None:
        if os.fstat(self._file.fileno()).st_size > self._wanted.size:
            self._file.truncate(0)
        self._file.seek(0)
        while piece := self._file.read(1024 * 1024):
            self._hash.update(piece)
            self.size += len(piece)
            self.tally.add(len(piece), resumed=len(piece))

    def append(self, piece: bytes) -> None:
        self._file.write(piece)
        self._hash.update(piece)
        self.size += len(piece)
        self.tally.add(len(piece), transferred=len(piece))

    def begin_anew(self) -> None:
        self.tally.add(-self.size)
        self._file.truncate(0)
        self.size, self._hash, self.resumed = 0, hashlib.sha256(), False

    def is_right(self) -> bool:
        return self.size == self._wanted.size and self._hash.hexdigest() == self._wanted.sha256


def part_of(target: Path) -> Path:
    """Return where a file lies until it is whole."""
    return target.with_name(f".{target.name}.part")


def fetch_all(source: Source, files: Sequence[ReleaseFile], folder: Path, tally: Tally, workers: int) -> None:
    """Bring ``files`` into ``folder``, a few at a time, each verified before it has its name.

    Raises:
        SourceError: the source cannot be reached or refuses a file; what has arrived is kept for the next call.
        DamagedReleaseError: a file is not what the manifest says.
        StorageError: the folder cannot be written, or the disk is full.
    """
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="pull")
    largest_first = sorted(files, key=lambda file: (-file.size, file.path))
    try:
        futures = [pool.submit(_fetch, source, file, folder / file.path, tally) for file in largest_first]
        for future in as_completed(futures):
            future.result()
    finally:
        tally.stopped.set()
        pool.shutdown(cancel_futures=True)


def _fetch(source: Source, wanted: ReleaseFile, target: Path, tally: Tally) -> None:
    part = part_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            right = _bring(source, wanted, _Part(file, wanted, tally))
            file.flush()
            os.fsync(file.fileno())
        _settle(part, target, right=right)
    except OSError as error:
        raise unwritable(target, error) from error
    if not right:
        raise DamagedReleaseError(
            f"{source.url(wanted.path)} is not what its manifest says: {wanted.size} bytes with the SHA-256 "
            f"{wanted.sha256}; it was changed or damaged after publishing. Have it restored, or take another version"
        )


def _settle(part: Path, target: Path, *, right: bool) -> None:
    if right:
        part.replace(target)
    else:
        part.unlink()


def _bring(source: Source, wanted: ReleaseFile, part: _Part) -> bool:
    """Complete a part and return whether it is what was wanted; one begun by an earlier pull gets a second chance."""
    _complete(source, wanted, part)
    if not part.is_right() and part.resumed:
        part.begin_anew()
        _complete(source, wanted, part)
    return part.is_right()


def _complete(source: Source, wanted: ReleaseFile, part: _Part) -> None:
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.25, max=MAX_WAIT_S),
        retry=retry_if_exception_type(TransientSourceError),
        sleep=sleep_using_event(part.tally.stopped),
    )
    try:
        while part.size < wanted.size:
            retrying(_read_on, source, wanted, part)
    except MissingFileError as error:
        raise DamagedReleaseError(
            f"{error}; its manifest names it. The version may have been revoked just now: pull again, or take another"
        ) from error
    except RetryError as error:
        raise given_up(error) from error


def _read_on(source: Source, wanted: ReleaseFile, part: _Part) -> None:
    """Read until the source ends. Breaking off is an error only where nothing new came: files may be any length."""
    part.furthest = max(part.furthest, part.size)
    try:
        _read_until_it_ends(source, wanted, part)
    except TransientSourceError:
        if part.size <= part.furthest:
            raise


def _read_until_it_ends(source: Source, wanted: ReleaseFile, part: _Part) -> None:
    with source.stream(wanted.path, part.size) as (start, pieces):
        if start != part.size:
            part.begin_anew()
        for piece in pieces:
            part.append(piece)
            if part.size > wanted.size:
                return
    if part.size < wanted.size:
        short = f"{source.url(wanted.path)} ended after {part.size} of the {wanted.size} bytes its manifest says"
        raise DamagedReleaseError(f"{short}; have it restored") if source.is_local else TransientSourceError(short)


def unwritable(path: Path, error: OSError) -> StorageError:
    """Return what is to be said where a pulled file cannot be written."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return StorageError(
        f"cannot write {path}: {cause.strerror or cause}; free space or name another folder, then pull again: what "
        "has arrived is kept"
    )
