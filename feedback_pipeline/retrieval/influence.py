"""Which example was given to which question, noted behind the answer: recording never delays or fails it.

The queue and its thread belong to one process. A child that was forked starts with an empty queue and a thread of its
own; what waited is written by its parent.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Self

import uuid_utils

from feedback_pipeline.retrieval.example import Example

if TYPE_CHECKING:
    from feedback_pipeline.store import Speaker, Store
    from feedback_pipeline.store.influence import Retrieval

logger = logging.getLogger(__name__)

_TOGETHER = 500
"""So many retrievals are written in one transaction."""
_GATHER_S = 0.2
"""How long the first of a batch waits for others."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
"""Between tries while the store is away."""
_BETWEEN_WARNINGS_S = 60.0
_CLOSING_S = 5.0


@dataclass(frozen=True)
class Asker:
    """Who asked through an interface: the raw id, hashed when it is compared; None where only the product knows it."""

    user_id: str | None = field(repr=False)


@dataclass(frozen=True)
class _Noted:
    """A retrieval as it waits to be written."""

    retrieval_id: str
    database_id: str
    at: datetime
    index_version: int | None
    interaction_id: int | None
    examples: tuple[Example, ...]
    asker: Asker | None
    withheld: tuple[Example, ...] = ()
    holdback_rate: float | None = None


def new_retrieval_id() -> str:
    """Return a name for one look-up (UUIDv7): of two the greater is the later."""
    return str(uuid_utils.uuid7())


class InfluenceRecorder:
    """A bounded queue and one thread that writes it in batches. Thread-safe.

    While the store is away the queue is kept and writing is tried again, with growing pauses. What does not fit is
    dropped and counted.

    Args:
        open_store: returns the store to write to; called for every batch, on the thread of the recorder.
        capacity: how many retrievals may wait.

    Example:
        >>> with InfluenceRecorder(lambda: store) as influence:
        ...     examples = retriever.similar("orders from Berlin", database_id="shop")
        ...     influence.note(examples, database_id="shop", index_version=retriever.index_version)

    """

    def __init__(self, open_store: Callable[[], Store], *, capacity: int = 10_000):
        self._open_store, self._capacity = open_store, capacity
        self._start_anew()
        _RECORDERS.add(self)

    def _start_anew(self) -> None:
        self.written = 0
        self.dropped = 0
        self._changed = threading.Condition()
        self._queue: deque[_Noted] = deque()
        self._settled = 0
        self._urgent = False
        self._closes_at: float | None = None
        self._thread: threading.Thread | None = None
        self._away = False
        self._warned_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """How many retrievals are not written yet."""
        return len(self._queue)

    def note(
        self,
        examples: Sequence[Example],
        *,
        database_id: str,
        index_version: int | None = None,
        interaction_id: int | None = None,
        asker: Asker | None = None,
        withheld: Sequence[Example] = (),
        retrieval_id: str | None = None,
        holdback_rate: float | None = None,
    ) -> str:
        """Note what was given and what was ``withheld``, and return the id of this retrieval (UUIDv7) at once.

        A retrieval that found nothing is noted too: it tells how many questions nothing is known about. With ``asker``
        an interaction is only named where it is theirs, or nobody's, and about this database or none.

        Args:
            examples: what the question was given, with distinct ranks.
            database_id: what it was asked about.
            index_version: the publication that answered.
            interaction_id: what it was for.
            asker: who says so; None for somebody trusted.
            withheld: what ``hold_back`` kept from it.
            retrieval_id: of ``new_retrieval_id``, where it was needed before; None makes one.
            holdback_rate: the rate ``hold_back`` was called with, also where nothing was withheld: only such
                retrievals are compared. None or 0 where it was not called.

        """
        retrieval_id = retrieval_id or new_retrieval_id()
        noted = _Noted(
            retrieval_id,
            database_id,
            datetime.now(UTC),
            index_version,
            interaction_id,
            tuple(examples),
            asker,
            tuple(withheld),
            holdback_rate or None,
        )
        with self._changed:
            if self._closes_at is not None or len(self._queue) >= self._capacity:
                self._drop(1)
                return retrieval_id
            self._queue.append(noted)
            if len(self._queue) in (1, _TOGETHER):
                self._changed.notify_all()
            self._ensure_thread()
        return retrieval_id

    def flush(self, timeout: float = _CLOSING_S) -> bool:
        """Write what was noted so far without waiting for more, and tell whether ``timeout`` seconds were enough."""
        with self._changed:
            wanted = self._settled + len(self._queue)
            self._urgent = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= wanted, timeout)

    def close(self, timeout: float = _CLOSING_S) -> None:
        """Write what waits within ``timeout`` seconds and drop the rest; closing again does nothing."""
        with self._changed:
            self._closes_at = self._closes_at or time.monotonic() + timeout
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join(timeout)
        with self._changed:
            if self._queue:
                self._drop(len(self._queue))
                self._settle(len(self._queue))

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._write_until_closed, name="influence", daemon=True)
            self._thread.start()

    def _write_until_closed(self) -> None:
        pause = 0.0
        while batch := self._next_batch(pause):
            pause = self._pause_after(batch, pause)

    def _next_batch(self, pause: float) -> list[_Noted]:
        """Return what is to be written next, oldest first, once there is some; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            # Closing ends a long pause at once, but the short ones between the last tries are kept.
            in_a_hurry = self._closing and pause <= _FIRST_PAUSE_S
            self._changed.wait_for(lambda: self._is_due(pause, in_a_hurry), pause or _GATHER_S)
            if self._closes_at is not None and time.monotonic() > self._closes_at:
                return []
            self._urgent = False
            return list(islice(self._queue, _TOGETHER))

    @property
    def _closing(self) -> bool:
        return self._closes_at is not None

    def _is_due(self, pause: float, in_a_hurry: bool) -> bool:
        if pause:
            return self._urgent or (self._closing and not in_a_hurry)
        return self._urgent or self._closing or len(self._queue) >= _TOGETHER

    def _pause_after(self, batch: list[_Noted], pause: float) -> float:
        """Write ``batch`` and return how long to wait before the next try: 0 where there is nothing to try again."""
        # Not before: agents that never record need no SQLAlchemy.
        from feedback_pipeline.store.errors import StoreUnavailableError

        try:
            refused = _write(self._open_store(), batch)
        except StoreUnavailableError as error:
            self._note_away(error)
            longer = min(max(_FIRST_PAUSE_S, 2 * pause), _LONGEST_PAUSE_S)
            return _FIRST_PAUSE_S if self._closing else longer
        with self._changed:
            self._away = False
            self.written += len(batch) - refused
            if refused:
                self._drop(refused)
            self._settle(len(batch))
        return 0.0

    def _settle(self, count: int) -> None:
        # Fewer where closing has not waited for this batch.
        for _ in range(min(count, len(self._queue))):
            self._queue.popleft()
            self._settled += 1
        self._changed.notify_all()

    def _drop(self, count: int) -> None:
        self.dropped += count
        if time.monotonic() - self._warned_at >= _BETWEEN_WARNINGS_S:
            self._warned_at = time.monotonic()
            logger.warning(
                "%d retrievals were not recorded so far, %d wait: the store is away, or slower than they come",
                self.dropped,
                len(self._queue),
            )

    def _note_away(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            logger.warning("retrievals wait to be recorded (%d so far): %s", len(self._queue), error)


def _write(store: Store, batch: list[_Noted]) -> int:
    """Store ``batch`` and return how many the database refuses for what they say, whatever state it is in."""
    from sqlalchemy.exc import SQLAlchemyError

    from feedback_pipeline.store.identity import HashKeyError
    from feedback_pipeline.store.influence import record_retrievals

    # An agent in this process may note what no database keeps: a NUL character, a number of 70 bits.
    unacceptable = (SQLAlchemyError, ValueError, OverflowError, TypeError, HashKeyError)
    try:
        record_retrievals(store, [_retrieval(store, one) for one in batch])
    except unacceptable as error:
        if len(batch) == 1:
            logger.warning("a retrieval cannot be recorded: %s", type(error).__name__)
            return 1
        return sum(_write(store, [one]) for one in batch)
    return 0


def _retrieval(store: Store, one: _Noted) -> Retrieval:
    from feedback_pipeline.store.influence import GivenExample, Retrieval

    return Retrieval(
        one.retrieval_id,
        one.database_id,
        one.at,
        one.index_version,
        one.interaction_id,
        [
            GivenExample(example.example_id, example.rank, example.score, is_withheld)
            for examples, is_withheld in ((one.examples, False), (one.withheld, True))
            for example in examples
        ],
        None if one.interaction_id is None else _speaker(store, one.asker),
        one.holdback_rate,
    )


def _speaker(store: Store, asker: Asker | None) -> Speaker | None:
    from feedback_pipeline.store import Speaker

    if asker is None:
        return None
    return Speaker(None if asker.user_id is None else store.hash_user(asker.user_id))


_RECORDERS: weakref.WeakSet[InfluenceRecorder] = weakref.WeakSet()


def _start_anew_in_child() -> None:
    for recorder in list(_RECORDERS):
        recorder._start_anew()


@atexit.register
def _close_all() -> None:
    for recorder in list(_RECORDERS):
        recorder.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew_in_child)
