"""Answers that are kept for a while: several people look at the same numbers, and counting takes time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from feedback_pipeline.insight.utilisation import Utilisation, utilisation
from feedback_pipeline.store import Store

KEPT_S = 5.0
KEPT_TIMES = 20
"""An answer is kept so many times as long as it took: counting takes a twentieth of the time at most."""

_MOST_KEPT = 64

_Key = tuple[int, frozenset[str] | None]


@dataclass
class _Entry:
    """One answer; whoever asks for the same meanwhile waits for the lock instead of counting again."""

    counting: threading.Lock = field(default_factory=threading.Lock)
    answer: Utilisation | None = None
    until: float = 0.0


class RecentUtilisation:
    """Keeps the answer for each window and set of databases, for ``kept_s`` seconds at least. Thread-safe."""

    def __init__(self, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic):
        self._kept_s, self._clock = kept_s, clock
        self._entries: dict[_Key, _Entry] = {}
        self._changing = threading.Lock()

    def utilisation(self, store: Store, *, days: int, databases: frozenset[str] | None) -> Utilisation:
        """Return what ``insight.utilisation`` does, perhaps a while ago (``as_of`` says when it was counted).

        Raises ValueError and StoreUnavailableError like it; then nothing is kept.
        """
        entry = self._entry((days, databases))
        with entry.counting:
            if entry.answer is None or self._clock() >= entry.until:
                began = self._clock()
                entry.answer = utilisation(store, days=days, databases=databases)
                ended = self._clock()
                entry.until = ended + max(self._kept_s, KEPT_TIMES * (ended - began))
            return entry.answer

    def _entry(self, key: _Key) -> _Entry:
        with self._changing:
            # The one asked for longest ago goes first; who waits for it still gets its answer.
            entry = self._entries.pop(key, None) or _Entry()
            self._entries[key] = entry
            if len(self._entries) > _MOST_KEPT:
                del self._entries[next(iter(self._entries))]
            return entry
