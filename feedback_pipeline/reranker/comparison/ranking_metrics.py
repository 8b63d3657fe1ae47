"""How well scores order the passages of one query: the figures that rerankers are compared by.

nDCG is that of Järvelin and Kekäläinen (2002) as scikit-learn computes it, which averages over tied scores. The others
take passages with tied scores in the worst order for whoever gave them, so that giving all the same score wins nothing.
"""

from collections.abc import Callable, Mapping

import numpy as np

METRICS = ("pairwise_accuracy", "ndcg@10", "mrr@10", "recall@5")


def pairwise_accuracy(labels: np.ndarray, scores: np.ndarray, judged: np.ndarray) -> float:
    """Return the share of pairs of a good and a bad passage that are in the right order; a tie is half right.

    Args:
        labels: 1 good, 0 not: shape (passages,).
        scores: higher is better: shape (passages,).
        judged: which passages users have rated; the others make no pairs.

    Returns:
        NaN where there is no such pair.
    """
    good, bad = scores[judged & (labels > 0)], scores[judged & (labels <= 0)]
    if not len(good) or not len(bad):
        return float("nan")
    difference = good[:, None] - bad[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def ndcg_at_10(labels: np.ndarray, scores: np.ndarray, _judged: np.ndarray) -> float:
    """Return the normalised discounted cumulative gain of the first ten; NaN where there is nothing to order."""
    from sklearn.metrics import ndcg_score

    if len(labels) < 2 or not labels.any():
        return float("nan")
    return float(ndcg_score(labels[None], scores[None], k=10))


def mrr_at_10(labels: np.ndarray, scores: np.ndarray, _judged: np.ndarray) -> float:
    """Return one over the place of the first good passage, 0 from the eleventh on; NaN where none is good."""
    places = np.flatnonzero(labels[_pessimistic(labels, scores)] > 0)
    if not len(places):
        return float("nan")
    return 1.0 / (places[0] + 1) if places[0] < 10 else 0.0


def recall_at_5(labels: np.ndarray, scores: np.ndarray, _judged: np.ndarray) -> float:
    """Return the share of the good passages that are among the first five; NaN where none is good."""
    good = labels > 0
    if not good.any():
        return float("nan")
    return float(good[_pessimistic(labels, scores)[:5]].sum() / good.sum())


def _pessimistic(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.lexsort((labels > 0, -scores))


_OF: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = dict(
    zip(METRICS, (pairwise_accuracy, ndcg_at_10, mrr_at_10, recall_at_5), strict=True)
)


def metrics_of(labels: np.ndarray, scores: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return all METRICS of one query, in their order: float64 of shape (4,), NaN where one has no value."""
    return np.array([measure(labels, scores, judged) for measure in _OF.values()])
