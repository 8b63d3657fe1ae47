"""Slices of databases in memory: each loaded once however many ask, all together within a bound of bytes.

A key is (digest of the content, database). Where the digest is that of the database's own content
(``IndexCatalog.databases``), a slice outlives all publications that do not change it.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

Key = tuple[str, str]


class HasBytes(Protocol):
    """What takes memory and can tell how much."""

    @property
    def bytes(self) -> int:
        """Memory held, in bytes."""
        ...


Slice = TypeVar("Slice", bound=HasBytes)


class SliceCache(Generic[Slice]):
    """Slices by (digest, database), least recently used dropped beyond ``max_bytes``. Thread-safe.

    One slice is always kept, however large. While a publication is followed, slices of the next one may take as much
    again (``preload``).
    """

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._slices: OrderedDict[Key, Slice] = OrderedDict()
        self._bytes: dict[Key, int] = {}
        self._next: dict[Key, Slice] = {}
        self._loading: dict[Key, Future[Slice]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, load: Callable[[], Slice]) -> Slice:
        """Return the slice of ``key``; whoever asks first loads it, and who asks meanwhile waits for that.

        What ``load`` raises is raised to all of them, and the next one tries again.
        """
        with self._lock:
            if key in self._slices:
                self._slices.move_to_end(key)
                return self._slices[key]
            if key in self._next:
                return self._next[key]
            loading = self._loading.get(key)
            is_first = loading is None
            if loading is None:
                loading = self._loading[key] = Future()
        return self._loaded(key, load, loading) if is_first else loading.result()

    def preload(self, keys: Collection[Key], load: Callable[[Key], Slice]) -> None:
        """Load slices that will be asked for once the tag is followed, and hold them aside until ``keep_only``.

        To be called where nobody waits. Loading ends at the bound of bytes; the others are loaded when asked for.
        """
        left = self._max_bytes
        for key in keys:
            with self._lock:
                known = self._slices.get(key) or self._next.get(key)
            loaded = known or load(key)
            left -= loaded.bytes
            if left < 0:
                return
            with self._lock:
                if key not in self._slices:
                    self._next[key] = loaded

    def databases(self) -> list[str]:
        """Return the databases whose slices are held, most recently asked for first."""
        with self._lock:
            return list(dict.fromkeys(database_id for _, database_id in reversed(self._slices)))

    def keep_only(self, is_current: Callable[[Key], bool]) -> None:
        """Drop slices that are not current any more, and take over those loaded ahead."""
        with self._lock:
            for key in [key for key in self._slices if not is_current(key)]:
                self._drop(key)
            ahead = {key: loaded for key, loaded in self._next.items() if is_current(key)}
            self._next.clear()
            # Most recently asked for came first.
            for key, loaded in reversed(ahead.items()):
                self._hold(key, loaded)

    def forget_others(self, digest: str) -> None:
        """Drop slices of any other digest: for keys made of a publication's digest."""
        self.keep_only(lambda key: key[0] == digest)

    def _loaded(self, key: Key, load: Callable[[], Slice], loading: Future[Slice]) -> Slice:
        try:
            loaded = load()
        except BaseException as error:
            with self._lock:
                del self._loading[key]
            loading.set_exception(error)
            raise
        with self._lock:
            del self._loading[key]
            self._hold(key, loaded)
        loading.set_result(loaded)
        return loaded

    def _hold(self, key: Key, loaded: Slice) -> None:
        self._slices[key] = loaded
        self._bytes[key] = loaded.bytes
        while len(self._slices) > 1 and sum(self._bytes.values()) > self._max_bytes:
            self._drop(next(iter(self._slices)))

    def _drop(self, key: Key) -> None:
        del self._slices[key]
        del self._bytes[key]


class Follower:
    """Runs one task at a time beside the requests: opening a publication that has just become live, say.

    Args:
        name: name of the thread.

    """

    def __init__(self, name: str = "follow-live-tag"):
        self._name = name
        self._busy = threading.Lock()

    def start(self, task: Callable[[], None]) -> bool:
        """Start ``task`` in a thread of its own unless one is running; tell whether it was started.

        What it raises is logged: the next look at the tag tries again.
        """
        if not self._busy.acquire(blocking=False):
            return False
        threading.Thread(target=self._run, args=(task,), name=self._name, daemon=True).start()
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no task is running; tell whether that is so."""
        if not self._busy.acquire(timeout=-1 if timeout is None else timeout):
            return False
        self._busy.release()
        return True

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        except (LookupError, OSError, RuntimeError, ValueError):
            logger.exception("the publication that is live now could not be opened; the former one keeps answering")
        finally:
            self._busy.release()
