"""Lets the threads of one process write one after the other, in the order in which they came."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class TurnTimeoutError(Exception):
    """Others have held the lock for too long."""


class TooManyWaitError(Exception):
    """As many others as may wait already do."""


class WriteTurns:
    """A lock that is handed to whoever has waited longest; ``most_waiting`` may wait for it, None for any number.

    Python's own lock goes to whoever asks first after it is free, which mostly is the thread that has just had it.
    """

    def __init__(self, most_waiting: int | None = None) -> None:
        self._most_waiting = most_waiting
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def taken(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock. Raises TurnTimeoutError when it is not free in time, and at once TooManyWaitError."""
        self._take(timeout_s)
        try:
            yield
        finally:
            self._hand_on()

    def _take(self, timeout_s: float) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            if self._most_waiting is not None and len(self._waiting) >= self._most_waiting:
                raise TooManyWaitError
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        if not called.acquire(timeout=timeout_s):
            self._leave(called)

    def _leave(self, called: threading.Lock) -> None:
        with self._guard:
            if called in self._waiting:
                self._waiting.remove(called)
                raise TurnTimeoutError
        # Called between giving up and leaving: the turn is ours after all.

    def _hand_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
