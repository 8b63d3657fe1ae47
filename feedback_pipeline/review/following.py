"""Triage that goes on: evidence seconds after a submission, order soon after, and never most of a core.

Checking what is new costs little and comes first. Putting in order looks at all that waits, so it is done only when
something has changed, and takes at most a tenth of the time.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from feedback_pipeline.checking import checker_from
from feedback_pipeline.policy import waiting_unchecked
from feedback_pipeline.review.triage import TriageReport, check, put_in_order
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, StoreUnavailableError
from feedback_pipeline.store.exclusive_work import Turn
from feedback_pipeline.store.queue_order import Mark, mark_of, never_checked
from feedback_pipeline.store.reservations import drop_expired

CHECKED_AT_ONCE = 500
"""Few enough that what comes in meanwhile has its evidence soon."""

_REST = 10
"""What takes a second is done again ten seconds later at the earliest."""

_RECHECK_S = 60.0
"""So often verdicts are looked for that are out of date: a schema changed, a database is back."""

_NEVER = float("-inf")


@dataclass
class Pace:
    """When something was last done, and how long that took (seconds)."""

    ended: float = _NEVER
    took: float = 0.0
    at_least: float = 0.0

    def is_due(self) -> bool:
        """Tell whether enough time has gone by."""
        return time.monotonic() >= self.ended + max(self.at_least, _REST * self.took)

    def measure(self, started: float) -> None:
        """Note that it is done."""
        self.ended = time.monotonic()
        self.took = self.ended - started


class Follower:
    """Triage of one store, round after round; it remembers how far the store had come."""

    def __init__(self, store: Store, settings: Settings):
        self._store, self._settings = store, settings
        self._ordering, self._rechecking = Pace(), Pace(at_least=_RECHECK_S)
        self._seen: Mark | None = None
        self._stale: list[str] = []

    def round(self) -> TriageReport:
        """Do what is to be done now; an empty report where nothing is. Raises StoreUnavailableError."""
        report = TriageReport(checked=self._check())
        mark = mark_of(self._store)
        if mark == self._seen or not self._ordering.is_due():
            return report
        started = time.monotonic()
        waiting, moved, in_conflict = put_in_order(self._store, self._settings)
        drop_expired(self._store)
        self._seen = mark
        self._ordering.measure(started)
        return replace(report, waiting=waiting, moved=moved, in_conflict=in_conflict)

    def _check(self) -> int:
        """Check what has come in, else some of what is out of date."""
        fresh = never_checked(self._store, CHECKED_AT_ONCE)
        if not fresh and self._rechecking.is_due():
            started = time.monotonic()
            self._stale = waiting_unchecked(self._store, checker_from(self._store, self._settings))
            self._rechecking.measure(started)
        some = fresh or self._stale[:CHECKED_AT_ONCE]
        self._stale = self._stale if fresh else self._stale[CHECKED_AT_ONCE:]
        return check(self._store, checker_from(self._store, self._settings), some) if some else 0


def follow(
    open_store: Callable[[], Store],
    settings: Settings,
    *,
    tell: Callable[[TriageReport], None],
    warn: Callable[[str], None],
    pause_s: float = 1.0,
    stop: threading.Event | None = None,
) -> None:
    """Triage until ``stop`` is set. A store that is away is waited for; one process at a time does the work.

    ``tell`` gets a report of each round that did something; ``warn`` what is in the way, once each time.
    """
    stop = stop or threading.Event()
    away = ""
    while not stop.is_set():
        try:
            store = open_store()
        except StoreUnavailableError as error:
            away = _warned(str(error), away, warn)
            stop.wait(pause_s)
            continue
        try:
            away = ""
            _rounds(store, settings, tell, pause_s, stop)
        except StoreUnavailableError as error:
            away = _warned(str(error), away, warn)
            stop.wait(pause_s)
        finally:
            store.close()


def _warned(text: str, before: str, warn: Callable[[str], None]) -> str:
    if text != before:
        warn(f"{text} Waiting for it.")
    return text


def _rounds(
    store: Store, settings: Settings, tell: Callable[[TriageReport], None], pause_s: float, stop: threading.Event
) -> None:
    turn, follower = Turn(store, "triage"), Follower(store, settings)
    try:
        while not stop.is_set():
            if turn.is_ours():
                report = follower.round()
                if report.checked or report.moved:
                    tell(report)
                # With more to check there is no reason to rest.
                stop.wait(0 if report.checked == CHECKED_AT_ONCE else pause_s)
            else:
                stop.wait(pause_s)
    finally:
        turn.give_back()
