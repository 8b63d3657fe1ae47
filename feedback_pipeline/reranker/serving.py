"""Ranking passages with the model in production, in the application's own process: no torch, no database.

With nothing promoted, or nothing that can be read, the passages stay in the order they came in, which is that of the
retriever. Whoever asks never waits for a promotion: the next model is opened beside the requests and takes over whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from feedback_pipeline.reranker.models.following import ModelFollower, OpenedModel, opened
from feedback_pipeline.reranker.registry import ModelRegistry

logger = logging.getLogger(__name__)

PRODUCTION = "production"


class Reranker:
    """Puts the passages that answer a query first. Thread-safe, and usable in a forked process.

    Open one with ``Reranker.open``, and keep it: opening reads the weights.

    Example:
        >>> reranker = Reranker.open("production")
        >>> reranker.rank("how long does a refund take", ["Opening hours …", "Refunds take five days …"])
        [{'corpus_id': 1, 'score': 0.71}, {'corpus_id': 0, 'score': 0.08}]

    """

    def __init__(self, model: OpenedModel, follower: ModelFollower | None = None):
        self._model, self._follower = model, follower

    @classmethod
    def open(
        cls,
        reference: str | int = PRODUCTION,
        root: str | Path | None = None,
        *,
        refresh_seconds: float = 5.0,
        cache: Path | None = None,
    ) -> Reranker:
        """Open a model of the registry.

        Args:
            reference: ``production`` follows every promotion and rollback; ``v3``, ``3`` or ``latest`` stays with
                one version.
            root: the storage root, a folder or URL; default: FEEDBACK_STORAGE_ROOT.
            refresh_seconds: how often production is looked at; 0 looks only when ``refresh`` is called.
            cache: models of an object store are copied to ``feedback-pipeline-models`` below it; default:
                ``~/.cache/feedback-pipeline/models``.

        Raises:
            UnknownModelError: there is no such version.
            ModelFolderError: that version is damaged or its weights were removed. Neither is raised for
                ``production``: an application must start without a reranker.

        """
        registry = ModelRegistry(str(root) if root is not None else _configured_root())
        if str(reference) != PRODUCTION:
            return cls(opened(registry.look_up(reference), cache))
        follower = ModelFollower(registry, refresh_seconds, cache)
        return cls(follower.model(), follower)

    @property
    def version(self) -> int | None:
        """Return the version that answers now; None: the order stays as it comes."""
        return self._current().version

    @property
    def is_base(self) -> bool:
        """Tell whether no model answers: passages stay in the order they come in."""
        return self._current().scorer is None

    @property
    def revoked_dataset(self) -> str | None:
        """Return the dataset of this model, such as ``reranker@v2``, if somebody was erased from it since."""
        model = self._current().model
        return model.revoked_dataset() if model else None

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        *,
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
    ) -> list[dict[str, Any]]:
        """Return the passages, best first, as sentence-transformers' ``CrossEncoder.rank`` does.

        Args:
            query: what was asked.
            documents: the passages: any number of texts of any length; of equal scores the one that came first stays
                first.
            top_k: how many at most; None: all.
            return_documents: also give the ``text`` of each.
            batch_size: taken so that calls of ``CrossEncoder.rank`` need no change, and not used: batches are
                bounded by their tokens. What would change scores there (``activation_fn``, ``prompt``) or where they
                are computed (``device``, ``pool``) is refused as unknown.
            show_progress_bar: taken likewise; there is none.

        Returns:
            Dictionaries with ``corpus_id`` (place in ``documents``, from 0) and ``score`` (a finite float, higher is
            better; comparable within one model only).

        Raises:
            TypeError: a query or passage is no text.
            ValueError: ``top_k`` is less than 1.

        """
        return self.rank_many([query], [documents], top_k, return_documents)[0]

    def rank_many(
        self,
        queries: Sequence[str],
        document_lists: Sequence[Sequence[str]],
        top_k: int | None = None,
        return_documents: bool = False,
    ) -> list[list[dict[str, Any]]]:
        """Do the same as ``rank`` for several queries, each with passages of its own; they share batches.

        Raises:
            TypeError: a query or passage is no text.
            ValueError: ``top_k`` is less than 1, or there are not as many lists as queries.

        """
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {top_k}")
        if isinstance(queries, str):
            raise TypeError("queries must be a list of texts, not one text")
        lists = [_as_list(documents) for documents in document_lists]
        if len(queries) != len(lists):
            raise ValueError(f"there are {len(queries)} queries and {len(lists)} lists of documents")
        scores = self._scores(queries, lists)
        return [_ranked(*pair, top_k, return_documents) for pair in zip(scores, lists, strict=True)]

    def refresh(self) -> int | None:
        """Look at production now, wait for what is new, and return the version that answers."""
        if self._follower:
            self._follower.look()
        return self.version

    def close(self) -> None:
        """End following; the model that answers goes on answering."""
        if self._follower:
            self._model = self._follower.close()
            self._follower = None

    def __enter__(self) -> Reranker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _current(self) -> OpenedModel:
        follower = self._follower
        return follower.model() if follower else self._model

    def _scores(self, queries: Sequence[str], lists: list[list[str]]) -> list[np.ndarray]:
        scorer = self._current().scorer
        if scorer is None:
            _refuse_other_than_text([*queries, *(passage for passages in lists for passage in passages)])
            return [_in_order(len(passages)) for passages in lists]
        scores = scorer.score_batch(queries, lists)
        return [found if np.isfinite(found).all() else _unusable(len(found)) for found in scores]


def _configured_root() -> str:
    from feedback_pipeline.settings import get_settings

    return get_settings().storage_root


def _as_list(documents: Iterable[str]) -> list[str]:
    if isinstance(documents, str):
        raise TypeError("documents must be a list of texts, not one text")
    return list(documents)


def _refuse_other_than_text(values: Iterable[Any]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"a query or passage must be text, not {type(value).__name__}")


def _in_order(count: int) -> np.ndarray:
    """Return scores that leave passages in their order: 1, 1/2, 1/3 and so on."""
    return 1.0 / np.arange(1, count + 1)


def _unusable(count: int) -> np.ndarray:
    logger.error("the reranker gave scores that are no numbers; the passages stay in the order they came in")
    return _in_order(count)


def _ranked(scores: np.ndarray, passages: list[str], top_k: int | None, return_documents: bool) -> list[dict[str, Any]]:
    # A stable sort: of equal scores the lower place comes first.
    order = np.argsort(-scores, kind="stable")[:top_k]
    text = (lambda place: {"text": passages[place]}) if return_documents else (lambda _: {})
    return [{"corpus_id": int(place), "score": float(scores[place]), **text(place)} for place in order]
