"""The calibrated combination: how close, which words, how long, what was trained, each weighted as users rate.

A logistic regression on differences of a good and a bad passage of one query (Bradley and Terry 1952; Joachims 2002):
a few numbers are learned, so it needs few ratings. What was trained is given its weight on validation queries alone,
since it knows the others by heart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from feedback_pipeline.reranker.candidates.pairs import Pairs
from feedback_pipeline.reranker.scoring import PartScorer, PartSpec

FEWEST_PAIRS = 20
"""With fewer pairs on the validation side a trained part gets no place in the sum."""

Scores = Mapping[PartSpec, np.ndarray]
"""What each part says of the texts of pairs: shape (texts,) each."""

_MAY_BE_NEGATIVE = {"length"}
"""What is close to the query, or has its words, can only count in favour."""
_LIGHT = PartSpec("base_cosine", "light")
"""The light combination as one part. As one that can only count in favour: turned round, it would prefer what is far
from the query."""
_FOLDS = 5
_NEAR_TIE = 0.01
"""Gain in pairwise accuracy below which the part that is named first, and is cheaper to serve, stays."""


def scores_of(parts: Mapping[PartSpec, PartScorer], pairs: Pairs) -> dict[PartSpec, np.ndarray]:
    """Return what each part says of the texts of pairs, each text scored once."""
    return {spec: part.pair_scores(pairs.texts).astype(np.float64) for spec, part in parts.items()}


def fit(scores: Scores, pairs: Pairs) -> list[PartSpec]:
    """Return the parts with their place in the sum; those that do not help are left out.

    Each part is divided by the standard deviation of its scores, so that coefficients compare.
    """
    scaled = [replace(spec, **_scale(values)) for spec, values in scores.items()]
    differences = np.stack(
        [_differences(values, pairs) / spec.scale for spec, values in zip(scaled, scores.values(), strict=True)], axis=1
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


def combined(light: Sequence[PartSpec], scores: Scores, trained: Scores, pairs: Pairs) -> list[PartSpec]:
    """Return the light parts and, where it helps, the trained one that makes the better combination with them.

    Args:
        light: the light combination.
        scores: of its parts.
        trained: of the trained parts, the cheaper one first.
        pairs: of queries that no trained part has seen.
    """
    if not trained or len(pairs) < FEWEST_PAIRS:
        return list(light)
    together = _sum(light, scores)
    both = {spec: {_LIGHT: together, spec: values} for spec, values in trained.items()}
    best = _better(both, pairs)
    weighed = {one.folder: one for one in fit(both[best], pairs)}
    part = weighed.get(best.folder)
    if part is None or part.coefficient <= 0:
        return list(light)
    share = weighed[_LIGHT.folder].coefficient / weighed[_LIGHT.folder].scale if _LIGHT.folder in weighed else 0.0
    weaker = [replace(one, coefficient=round(one.coefficient * share, 6)) for one in light]
    return [one for one in weaker if one.coefficient] + [part]


def _sum(fitted: Sequence[PartSpec], scores: Scores) -> np.ndarray:
    values = {spec.folder: one for spec, one in scores.items()}
    return np.sum([one.coefficient * (values[one.folder] - one.mean) / one.scale for one in fitted], axis=0)


def _better(both: Mapping[PartSpec, Scores], pairs: Pairs) -> PartSpec:
    """Return the trained part whose combination orders pairs best.

    Which one that is depends on the ratings: a cross-encoder reads query and passage together, but a bi-encoder needs
    fewer of them. The weights are learned on these very pairs, so each fold of clusters is judged by the weights of
    the others.
    """
    best, *others = both
    accuracy = {spec: cross_fitted_accuracy(scores, pairs) for spec, scores in both.items()} if others else {}
    for other in others:
        if accuracy[other] > accuracy[best] + _NEAR_TIE:
            best = other
    return best


def cross_fitted_accuracy(scores: Scores, pairs: Pairs) -> float:
    """Return the share of pairs that the fitted sum puts in order, a tie counting half: by weight, as the gate does.

    Pairs of each fold are judged by the sum that is fitted to the other folds; pairs of near-duplicate queries are in
    one fold. Where all are of one cluster nothing can be told: 0.5.
    """
    folds = pairs.clusters % _FOLDS
    if len(np.unique(folds)) < 2:
        return 0.5
    right = np.zeros(len(pairs))
    for fold in np.unique(folds):
        difference = _differences(_sum(fit(scores, pairs.where(folds != fold)), scores), pairs)
        right = np.where(folds == fold, (difference > 0) + 0.5 * (difference == 0), right)
    return float(np.average(right, weights=pairs.weights))


def _differences(values: np.ndarray, pairs: Pairs) -> np.ndarray:
    return values[pairs.good] - values[pairs.bad]


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
