"""What routes work with: one instance per application, each part opens what it needs with the first request."""

import threading
import time
from typing import Annotated, cast

from fastapi import Depends, Request

from feedback_pipeline.api.auth.authenticator import Authenticator
from feedback_pipeline.api.metrics import Metrics
from feedback_pipeline.api.rate_limits import RateLimits
from feedback_pipeline.api.runs import PipelineRuns
from feedback_pipeline.api.vouching import Vouching
from feedback_pipeline.example_index.membership import LiveMembership
from feedback_pipeline.finetune.membership import DatasetMembership
from feedback_pipeline.retrieval import Retriever
from feedback_pipeline.retrieval.influence import InfluenceRecorder
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, StoreUnavailableError, open_store

PAUSE_AFTER_FAILURE_S = 1.0


class Services:
    """Settings, store, retriever and the rest, shared by all requests. Thread-safe.

    Attributes:
        retriever: answers from the live index.
        influence: notes behind the answers which examples were given.
        vouching: asks who stands behind examples right now.
        live_membership: tells which live publication of the index holds a feedback.
        dataset_membership: tells which released datasets hold a feedback.

    Raises:
        RateLimitError: a limit of the settings cannot be read.

    """

    def __init__(self, settings: Settings, authenticator: Authenticator):
        self.settings = settings
        self.authenticator = authenticator
        self.metrics = Metrics()
        self.rate_limits = RateLimits(settings, self.metrics)
        self.runs = PipelineRuns(settings)
        self.retriever = Retriever(settings.storage_root)
        self.influence = InfluenceRecorder(lambda: self.store)
        self.vouching = Vouching(lambda: self.store)
        self.live_membership = LiveMembership(settings.storage_root)
        self.dataset_membership = DatasetMembership(settings.storage_root)
        self._store: Store | None = None
        self._opening = threading.Lock()
        self._failed: tuple[float, StoreUnavailableError] | None = None

    @property
    def store(self) -> Store:
        """The store; tried again once a second while it cannot be opened. Raises StoreUnavailableError."""
        if self._store is not None:
            return self._store
        with self._opening:
            if self._store is None:
                self._store = self._opened()
            return self._store

    def _opened(self) -> Store:
        # Whoever waited for the same attempt is told its outcome, not made to wait for another one.
        if self._failed and time.monotonic() - self._failed[0] < PAUSE_AFTER_FAILURE_S:
            raise StoreUnavailableError(str(self._failed[1]))
        try:
            return open_store(self.settings, busy_timeout_s=self.settings.api_busy_timeout_s)
        except StoreUnavailableError as error:
            self._failed = (time.monotonic(), error)
            raise

    def warm_up(self) -> None:
        """Open the live index and its encoder behind the start, so that nobody's first search waits for it."""
        threading.Thread(target=lambda: self.retriever.index_version, name="warm-up", daemon=True).start()

    def close(self) -> None:
        """Write what waits to be written and give everything back."""
        self.influence.close()
        self.vouching.close()
        self.runs.close()
        if self._store is not None:
            self._store.close()


async def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


Serving = Annotated[Services, Depends(_services)]
"""Parameter of a route that gets the services."""
