"""Ending what runs too long: one thread that watches all running queries and interrupts those past their deadline."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StoppedError(RuntimeError):
    """Nothing may begin any more."""


class Deadline:
    """The deadline of one query. ``passed`` tells whether the watch has interrupted it."""

    def __init__(self, due: float, interrupt: Callable[[], None]):
        self.due = due
        self.passed = False
        self._interrupt = interrupt
        self._ended = False
        self._lock = threading.Lock()

    def strike(self) -> None:
        """Interrupt the query, unless it has ended: its connection may be running another one by now."""
        with self._lock:
            if not self._ended:
                self.passed = True
                self._interrupt()

    def end(self) -> None:
        """Say that the query has ended."""
        with self._lock:
            self._ended = True


class Watch:
    """Interrupts queries that are past their deadline, from a thread of its own."""

    def __init__(self) -> None:
        self._deadlines: set[Deadline] = set()
        self._changed = threading.Condition()
        self._next = float("inf")
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="execution-deadlines", daemon=True)
        self._thread.start()

    @contextmanager
    def limit(self, seconds: float, interrupt: Callable[[], None]) -> Iterator[Deadline]:
        """Call ``interrupt``, once and from another thread, if the block takes longer than ``seconds``.

        Raises StoppedError after ``stop``.
        """
        deadline = Deadline(time.monotonic() + seconds, interrupt)
        with self._changed:
            if self._stopped:
                raise StoppedError("Running SQL is being abandoned.")
            self._deadlines.add(deadline)
            # The thread need not wake for a deadline that comes later than the one it sleeps for.
            if deadline.due < self._next:
                self._changed.notify()
        try:
            yield deadline
        finally:
            deadline.end()
            with self._changed:
                self._deadlines.discard(deadline)

    def stop(self) -> None:
        """Interrupt everything that runs, and let nothing begin any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def close(self) -> None:
        """End the watch; nothing may run any more."""
        self.stop()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._next = min((deadline.due for deadline in self._deadlines), default=float("inf"))
                if self._stopped and not self._deadlines:
                    return
                if not self._stopped and self._next > time.monotonic():
                    left = self._next - time.monotonic()
                    self._changed.wait(None if left == float("inf") else max(left, 0))
                due = {d for d in self._deadlines if self._stopped or d.due <= time.monotonic()}
                self._deadlines -= due
            for deadline in due:
                deadline.strike()
