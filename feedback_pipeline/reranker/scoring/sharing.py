"""Work shared out over the processors of this machine, by threads that are made for it and end with it.

ONNX Runtime has threads of its own; they do not survive a fork, and a forked process that uses them hangs.
"""

import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from feedback_pipeline.example_index.fair_limit import FairLimit, processors

Item = TypeVar("Item")
Result = TypeVar("Result")


class Sharing:
    """Calls a function on many items, one per processor at a time over all callers together. Thread-safe."""

    def __init__(self) -> None:
        self._process, self._slots = os.getpid(), FairLimit(processors())

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return ``function`` of each item, in order; what it raises is raised here."""
        todo, results, errors = list(enumerate(items))[::-1], {}, []
        limit = self._limit()

        def work() -> None:
            while todo and not errors:
                try:
                    number, item = todo.pop()
                except IndexError:
                    return
                try:
                    with limit:
                        results[number] = function(item)
                except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
                    errors.append(error)

        self._run_beside(work, min(len(items), processors()) - 1)
        if errors:
            raise errors[0]
        return [results[number] for number in range(len(items))]

    @staticmethod
    def _run_beside(work: Callable[[], None], helpers: int) -> None:
        """Run ``work`` here and in some threads, and wait for all of them."""
        started = []
        for _ in range(helpers):
            thread = threading.Thread(target=work, name="rerank", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # There are too many threads already, or the interpreter is about to end: what has started does it all.
                break
            started.append(thread)
        work()
        for thread in started:
            thread.join()

    def _limit(self) -> FairLimit:
        """So many at a time; a forked process has slots of its own, whoever held some when it was forked."""
        if self._process != os.getpid():
            self._process, self._slots = os.getpid(), FairLimit(processors())
        return self._slots
