"""One score from several parts."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from feedback_pipeline.reranker.scoring.folder import PartSpec


class Scorer(Protocol):
    """Says how well passages answer a query; higher is better. Scores of two scorers cannot be compared."""

    def score(self, query: str, passages: Sequence[str]) -> np.ndarray:
        """Return the score of each passage: float32 of shape (len(passages),)."""
        ...

    def score_batch(self, queries: Sequence[str], passage_lists: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the scores of each query's passages: as many arrays as queries, each as ``score`` gives it."""
        ...


class PartScorer(Protocol):
    """One part of a model."""

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the score of each (query, passage): float32 of shape (len(pairs),)."""
        ...


class BlendScorer:
    """A weighted sum of parts, each brought to the same scale first.

    Args:
        parts: at least one part with its place in the sum.

    """

    def __init__(self, parts: Sequence[tuple[PartSpec, PartScorer]]):
        if not parts:
            raise ValueError("a scorer needs at least one part")
        self.parts = tuple(parts)

    def score(self, query: str, passages: Sequence[str]) -> np.ndarray:
        """Return the score of each passage: float32 of shape (len(passages),)."""
        return self.score_batch([query], [passages])[0]

    def score_batch(self, queries: Sequence[str], passage_lists: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the scores of each query's passages; the texts of all queries share batches.

        Raises:
            ValueError: there are not as many lists as queries.
        """
        pairs = [
            (_text(query), _text(passage))
            for query, passages in zip(queries, passage_lists, strict=True)
            for passage in passages
        ]
        # A passage that comes twice is scored once: both then have the very same score.
        distinct = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
        scores = self._distinct_scores(list(distinct))
        all_scores = scores[[distinct[pair] for pair in pairs]] if pairs else scores
        ends = np.cumsum([len(passages) for passages in passage_lists])
        return np.split(all_scores, ends[:-1]) if len(queries) else []

    def _distinct_scores(self, pairs: list[tuple[str, str]]) -> np.ndarray:
        total = np.zeros(len(pairs), np.float64)
        if not pairs:
            return total.astype(np.float32)
        for spec, part in self.parts:
            if spec.coefficient:
                total += spec.coefficient * ((part.pair_scores(pairs).astype(np.float64) - spec.mean) / spec.scale)
        return total.astype(np.float32)


def _text(value: str) -> str:
    """Return a text that every tokenizer takes: half of a character pair, which JSON may carry, is no text to them."""
    if not isinstance(value, str):
        raise TypeError(f"a query or passage must be text, not {type(value).__name__}")
    return value if value.isascii() else value.encode(errors="replace").decode()
