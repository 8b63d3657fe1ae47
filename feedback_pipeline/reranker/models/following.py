"""Knows which model is in production and holds it open; follows promotions without keeping anybody waiting."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from feedback_pipeline.reranker.models.local_copy import local_folder
from feedback_pipeline.reranker.models.promotion import Production
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker.scoring.folder import ModelFolderError
from feedback_pipeline.reranker.scoring.opening import open_scorer

if TYPE_CHECKING:
    from feedback_pipeline.reranker.models.model import Model
    from feedback_pipeline.reranker.scoring.blend import Scorer

logger = logging.getLogger(__name__)

_BASE = "base"
_END_SECONDS = 5.0
"""How long the end of a process waits for a model that is just being opened: stopped half-way, its library aborts."""


@dataclass(frozen=True)
class OpenedModel:
    """What answers: a model and its scorer, or neither."""

    model: Model | None = None
    scorer: Scorer | None = None

    @property
    def version(self) -> int | None:
        """Return the version; None: no model."""
        return self.model.version if self.model else None


def opened(model: Model, cache: Path | None = None) -> OpenedModel:
    """Open one model of the registry. Raises ModelFolderError where it is not whole, and OSError."""
    scorer = open_scorer(local_folder(model, cache))
    scorer.score("one query", ["and one passage: the first call sets up the rest"])
    if revoked := model.revoked_dataset():
        logger.warning("%s was trained on %s, from which somebody was erased since: train anew", model.name, revoked)
    return OpenedModel(model, scorer)


class ModelFollower:
    """Holds the model in production open, and looks every ``refresh_seconds`` whether it is another one. Thread-safe.

    Args:
        registry: where the models are.
        refresh_seconds: how often it is looked; with 0 only when ``look`` is called.
        cache: below which models of an object store are copied; None: the user's own.

    """

    def __init__(self, registry: ModelRegistry, refresh_seconds: float, cache: Path | None = None):
        self._registry, self._refresh_seconds, self._cache = registry, refresh_seconds, cache
        self._opened = OpenedModel()
        self._seen: Production | None = None
        self._said: set[str] = set()
        self._looking, self._starting = threading.Lock(), threading.Lock()
        self._thread: _Looking | None = None
        self._process = os.getpid()
        self.look()
        self._follow()

    def model(self) -> OpenedModel:
        """Return what answers now."""
        self._survive_fork()
        return self._opened

    def look(self) -> None:
        """Look at production, and open what is there now unless it is open; what cannot be read changes nothing."""
        self._survive_fork()
        with self._looking:
            try:
                self._take_over(self._registry.production_pointer())
            except Exception as error:  # noqa: BLE001 - object stores and ONNX Runtime have errors of all kinds
                self._say_unreadable(error)

    def close(self) -> OpenedModel:
        """End looking, and return what answers now."""
        if self._thread:
            self._thread.end()
            self._thread = None
        return self._opened

    def _take_over(self, pointer: Production | None) -> None:
        if pointer is None and self._opened.model:
            raise ModelFolderError(f"{self._registry.pointer} is gone")
        if pointer is None or pointer.version is None:
            self._opened, self._seen = OpenedModel(), pointer
            self._said &= {_BASE}
            self._say(_BASE, logging.WARNING, "no reranker is in production: passages stay in the order they come in")
            return
        if pointer != self._seen:
            model = self._registry.look_up(pointer.version)
            # A version that was deleted and trained anew has the same number.
            if model != self._opened.model:
                self._opened = opened(model, self._cache)
                logger.info("passages are ranked by %s now", model.name)
            self._seen = pointer
        self._said.clear()

    def _say_unreadable(self, error: Exception) -> None:
        kind, answers = type(error).__name__, self._opened.model.name if self._opened.model else "no reranker"
        text = f"the reranker in production cannot be read ({kind}: {error}); {answers} answers until it can"
        # Texts of object stores may name a request, and so be others each time.
        self._say(kind, logging.ERROR, text)

    def _say(self, subject: str, level: int, text: str) -> None:
        """Log once, until there is nothing to say any more."""
        if subject not in self._said:
            self._said.add(subject)
            logger.log(level, "%s", text)

    def _follow(self) -> None:
        self._process = os.getpid()
        if self._refresh_seconds > 0:
            self._thread = _Looking(self, self._refresh_seconds)

    def _survive_fork(self) -> None:
        """Follow in a forked process too: it has the model, but neither the thread nor whoever held the lock."""
        if self._process == os.getpid() or not self._starting.acquire(blocking=False):
            return
        try:
            if self._process != os.getpid():
                self._looking = threading.Lock()
                self._follow()
        finally:
            self._starting.release()


class _Looking:
    """The thread that looks. It holds nothing alive: when its follower is gone, it ends."""

    def __init__(self, follower: ModelFollower, seconds: float):
        self.process, self._end, self._idle = os.getpid(), threading.Event(), threading.Lock()
        reference = weakref.ref(follower, lambda _: self._end.set())
        thread = threading.Thread(target=self._run, args=(reference, seconds), name="follow-production", daemon=True)
        atexit.register(self.end)
        thread.start()

    def end(self) -> None:
        """End; where a model is just being opened, wait a little for that."""
        self._end.set()
        atexit.unregister(self.end)
        if self.process == os.getpid() and self._idle.acquire(timeout=_END_SECONDS):
            self._idle.release()

    def _run(self, reference: weakref.ref[ModelFollower], seconds: float) -> None:
        while not self._end.wait(seconds):
            with self._idle:
                follower = reference()
                if follower is None or self._end.is_set():
                    break
                follower.look()
                del follower
        atexit.unregister(self.end)
