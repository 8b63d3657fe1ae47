"""The calibrated combination: how close, which words, how long, what was trained, each weighted as users rate.

A logistic regression on differences of a good and a bad passage of one query (Bradley and Terry 1952; Joachims 2002):
a few numbers are learned, so it needs few ratings. What was trained is given its weight on validation queries alone,
since it knows the others by heart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from feedback_pipeline.reranker.rated_queries import RatedQuery
from feedback_pipeline.reranker.scoring import PartScorer, PartSpec

FEWEST_PAIRS = 20
"""With fewer pairs on the validation side a trained part gets no place in the sum."""

_MAY_BE_NEGATIVE = {"length"}
"""What is close to the query, or has its words, can only count in favour."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of a good and a bad passage of one query, with the weight of each pair: shape (pairs,)."""

    good: list[tuple[str, str]]
    bad: list[tuple[str, str]]
    weights: np.ndarray

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.good)


def pairs_of(queries: Sequence[RatedQuery]) -> Pairs:
    """Return all pairs of the queries, with the smaller weight of the two passages."""
    found = [
        ((one.query, positive), (one.query, negative), min(for_it, against_it))
        for one in queries
        for positive, for_it in zip(one.positives, one.positive_weights, strict=True)
        for negative, against_it in zip(one.negatives, one.negative_weights, strict=True)
    ]
    weights = np.array([weight for _, _, weight in found], np.float64)
    return Pairs([good for good, _, _ in found], [bad for _, bad, _ in found], weights)


def fit(parts: Mapping[PartSpec, PartScorer], pairs: Pairs) -> list[PartSpec]:
    """Return the parts with their place in the sum; those that do not help are left out.

    Each part is divided by the standard deviation of its scores, so that coefficients compare.
    """
    specs = list(parts)
    scores = [(parts[spec].pair_scores(pairs.good), parts[spec].pair_scores(pairs.bad)) for spec in specs]
    scaled = [replace(spec, **_scale(np.concatenate(both))) for spec, both in zip(specs, scores, strict=True)]
    differences = np.stack(
        [(good.astype(float) - bad) / spec.scale for spec, (good, bad) in zip(scaled, scores, strict=True)], axis=1
    )
    chosen = list(range(len(scaled)))
    while True:
        coefficients = _coefficients(differences[:, chosen], pairs.weights)
        harmful = [
            place for place, value in zip(chosen, coefficients, strict=True) if _is_harmful(scaled[place], value)
        ]
        if not harmful or len(harmful) == len(chosen):
            break
        chosen = [place for place in chosen if place not in harmful]
    return [
        replace(scaled[place], coefficient=round(float(value), 6))
        for place, value in zip(chosen, coefficients, strict=True)
    ]


def _is_harmful(spec: PartSpec, coefficient: float) -> bool:
    return coefficient <= 0 and spec.kind not in _MAY_BE_NEGATIVE


def _scale(scores: np.ndarray) -> dict[str, float]:
    spread = float(scores.std(dtype=np.float64))
    return {"mean": round(float(scores.mean(dtype=np.float64)), 6), "scale": round(spread, 6) if spread > 1e-6 else 1.0}


def _coefficients(differences: np.ndarray, weights: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    # Each pair is shown both ways, so that there are two classes and no direction is preferred.
    both = np.concatenate([differences, -differences])
    labels = np.repeat([1, 0], len(differences))
    model = LogisticRegression(fit_intercept=False, C=1.0)
    return model.fit(both, labels, sample_weight=np.concatenate([weights, weights])).coef_[0]
