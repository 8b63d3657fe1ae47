"""Held-out lists made by hand, and scores of a ranker that is right as often as is wanted."""

import numpy as np

from feedback_pipeline.reranker.comparison.held_out import JudgedList
from feedback_pipeline.reranker.evaluate import Figures, figures_of
from feedback_pipeline.reranker.rated_queries import RatedQuery


def rated(number: int, source: str = "uk", weight: float = 1.0, positives: int = 1, negatives: int = 1) -> RatedQuery:
    return RatedQuery(
        row_id=f"{number:016x}",
        query=f"what is number {number}",
        source=source,
        cluster_id=f"{number:016x}",
        weight=weight,
        positives=tuple(f"good {number} {place}" for place in range(positives)),
        positive_weights=(1.0,) * positives,
        positive_ranks=(1.0,) * positives,
        negatives=tuple(f"bad {number} {place}" for place in range(negatives)),
        negative_weights=(1.0,) * negatives,
        negative_ranks=(1.0,) * negatives,
        negative_origins=("rated",) * negatives,
    )


def judged(number: int, source: str = "uk", weight: float = 1.0, distractors: int = 3) -> JudgedList:
    one = rated(number, source, weight)
    count = len(one.passages) + distractors
    passages = one.passages + tuple(f"other {number} {place}" for place in range(distractors))
    labels = np.zeros(count, np.int8)
    labels[0] = 1
    return JudgedList(one, passages, labels, np.arange(count) < 2, np.linspace(0.5, 0.1, count), np.zeros(count))


def right_in(share: float, lists: list[JudgedList], seed: int = 0) -> Figures:
    """Figures of a ranker that puts the good passage first in this share of the lists, and last in the others."""
    right = np.random.default_rng(seed).permutation(len(lists)) < round(share * len(lists))
    scores = [np.where(one.labels > 0, 9.0 if ok else -9.0, 0.0) for one, ok in zip(lists, right, strict=True)]
    return figures_of(lists, scores)
