"""Who stands behind examples right now, asked of the store while an agent waits: soon, or not at all."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from feedback_pipeline.store import HashKeyError, Store, StoreUnavailableError
from feedback_pipeline.store.standing import Standing, standings

logger = logging.getLogger(__name__)

PATIENCE_S = 1.0
PAUSE_S = 5.0
_THREADS = 8


@dataclass(frozen=True)
class Vouched:
    """The standing of feedback by id, and the hash of who asks (None for nobody)."""

    standings: dict[str, Standing]
    asker: str | None

    def all_in_use(self, feedback_ids: Iterable[str]) -> bool:
        """Tell whether somebody stands behind each of them. What is erased has no standing any more."""
        return all(i in self.standings and self.standings[i].in_use for i in feedback_ids)

    def is_askers(self, feedback_id: str) -> bool:
        """Tell whether who asks gave it."""
        return self.asker is not None and self.standings[feedback_id].owner == self.asker

    def corrects(self, feedback_id: str) -> bool:
        """Tell whether it is a correction; see ``Standing``."""
        return self.standings[feedback_id].corrects


class Vouching:
    """Asks the store and gives up after ``PATIENCE_S``; nobody waits for it again for ``PAUSE_S`` then. Thread-safe."""

    def __init__(self, open_store: Callable[[], Store]):
        self._open_store = open_store
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="vouching")
        self._asks_again_at = float("-inf")
        self._lock = threading.Lock()

    def ask(self, feedback_ids: Iterable[str], user_id: str | None) -> Vouched | None:
        """Return who stands behind feedback, and which of it is the user's; None while the store cannot be asked."""
        if not self._may_ask():
            return None
        asked = self._threads.submit(self._look_up, list(feedback_ids), user_id)
        try:
            vouched = asked.result(PATIENCE_S)
        except (StoreUnavailableError, HashKeyError, TimeoutError) as error:
            asked.cancel()
            self._pause(error)
            return None
        self._asks_again_at = float("-inf")
        return vouched

    def close(self) -> None:
        """Ask nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, feedback_ids: list[str], user_id: str | None) -> Vouched:
        store = self._open_store()
        return Vouched(standings(store, feedback_ids), None if user_id is None else store.hash_user(user_id))

    def _may_ask(self) -> bool:
        """Tell whether to ask. After a pause one caller tries, and the others go on without until it has an answer."""
        if self._asks_again_at == float("-inf"):
            return True
        with self._lock:
            if time.monotonic() < self._asks_again_at:
                return False
            self._asks_again_at = time.monotonic() + PAUSE_S
            return True

    def _pause(self, error: Exception) -> None:
        with self._lock:
            begins = self._asks_again_at == float("-inf")
            self._asks_again_at = time.monotonic() + PAUSE_S
        if begins:
            logger.warning("examples are given without asking who stands behind them: %s", type(error).__name__)
