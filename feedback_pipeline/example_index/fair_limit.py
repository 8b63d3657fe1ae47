"""So many threads at a time, in the order they came."""

import os
import threading
from collections import deque


def processors() -> int:
    """Return how many processors this process may use: fewer than the machine has where it is kept to some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class FairLimit:
    """A context manager that lets ``slots`` threads in at a time and hands each slot to who has waited longest.

    ``threading.Semaphore`` lets latecomers overtake: with 40 threads at two slots some waited for seconds.
    """

    def __init__(self, slots: int):
        self._free = slots
        self._waiting: deque[threading.Lock] = deque()
        self._guard = threading.Lock()

    def enter_if_free(self) -> bool:
        """Take a slot unless that means waiting; tell whether one was taken. It is given back by ``leave``."""
        with self._guard:
            if not self._free:
                return False
            self._free -= 1
            return True

    def leave(self) -> None:
        """Give a slot back."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def __enter__(self) -> None:
        with self._guard:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            turn.acquire()
        except BaseException:
            # Ctrl-C: whoever no longer waits must not be handed a slot.
            self._give_up(turn)
            raise

    def _give_up(self, turn: threading.Lock) -> None:
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return
        self.leave()

    def __exit__(self, *_error: object) -> None:
        self.leave()
