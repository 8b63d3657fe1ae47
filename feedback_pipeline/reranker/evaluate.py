"""Comparing rerankers on held-out queries, paired by query: figures, gains, and how sure they are.

Intervals are percentile bootstraps over clusters of near-duplicate queries (Efron and Tibshirani 1993, chapter 13;
Sakai 2006 for rankings): a cluster is drawn as a whole, with the figures of all rerankers, so gains are paired and
queries that depend on each other do not count as evidence twice. Each query counts with the weight of its ratings.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feedback_pipeline.reranker.comparison.held_out import JudgedList
from feedback_pipeline.reranker.comparison.ranking_metrics import METRICS, metrics_of
from feedback_pipeline.reranker.scoring import Scorer

BASE = "base"
"""The untrained retriever: cosine of its vectors."""
SURFACED = "surfaced order"
"""The order in which the product's own retriever had surfaced the rated passages."""

_RESAMPLES = 2_000
_SEED = 20_240_229
_LEVEL = 0.95
_IN_TAIL = 10
"""Resamples beyond a bound of the interval, at least: fewer make it a matter of chance."""
_TOP_SHARE = 0.95


@dataclass(frozen=True)
class Gain:
    """How much better one reranker is than another: estimate and bounds of the interval, and of how many queries.

    All are None where no query tells.
    """

    estimate: float | None
    low: float | None
    high: float | None
    queries: int

    @property
    def is_sure(self) -> bool:
        """Whether the lower bound is above zero."""
        return self.low is not None and self.low > 0

    @property
    def is_surely_worse(self) -> bool:
        """Whether the upper bound is below zero."""
        return self.high is not None and self.high < 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"estimate": _rounded(self.estimate), "low": _rounded(self.low), "high": _rounded(self.high),
                "queries": self.queries}  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """The figures of one reranker on each held-out query.

    Attributes:
        values: METRICS of each query, NaN where one has no value: float64 of shape (queries, metrics).
    """

    values: np.ndarray

    def of(self, metric: str) -> np.ndarray:
        """Return one metric of each query."""
        return self.values[:, METRICS.index(metric)]


def figures_of(lists: Sequence[JudgedList], scores: Sequence[np.ndarray]) -> Figures:
    """Return the figures of scores, one array per list."""
    rows = [metrics_of(one.labels, given, one.judged) for one, given in zip(lists, scores, strict=True)]
    return Figures(np.array(rows, np.float64).reshape(-1, len(METRICS)))


def scores_of(scorer: Scorer, lists: Sequence[JudgedList]) -> list[np.ndarray]:
    """Return the scores a reranker gives the passages of each list."""
    return scorer.score_batch([one.query.query for one in lists], [one.passages for one in lists])


def base_scores(lists: Sequence[JudgedList]) -> list[np.ndarray]:
    """Return the cosines of the untrained retriever."""
    return [one.cosine for one in lists]


def figures_as_surfaced(lists: Sequence[JudgedList], scores: Sequence[np.ndarray] | None = None) -> Figures:
    """Return the figures on the judged passages alone: of ``scores``, by default of the order they were surfaced in.

    Where a passage seems to be in scope because it was surfaced at the top, what was only surfaced says nothing about
    that order, which made it so: lists that nobody rated a passage down in have no figures then.
    """
    given = [one.surfaced for one in lists] if scores is None else scores
    is_top = scope_is_the_top(lists)
    rows = [
        metrics_of(one.labels[one.judged], got[one.judged], one.judged[one.judged])
        if one.is_rated_down or not is_top
        else np.full(len(METRICS), np.nan)
        for one, got in zip(lists, given, strict=True)
    ]
    return Figures(np.array(rows, np.float64).reshape(-1, len(METRICS)))


def scope_is_the_top(lists: Sequence[JudgedList]) -> bool:
    """Tell whether nearly all good passages were surfaced before those beside them that nobody rated.

    A product that puts the first three passages into the prompt has just those in scope; one that notes which passages
    the answer cites has others too.
    """
    told = [
        one.surfaced[one.judged & (one.labels > 0)].min() > one.surfaced[one.judged & (one.labels <= 0)].max()
        for one in lists
        if not one.is_rated_down and (one.judged & (one.labels <= 0)).any()
    ]
    return bool(told) and float(np.mean(told)) >= _TOP_SHARE


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> float | None:
    """Return the mean of what has a value, None where nothing has."""
    there = ~np.isnan(values) & (weights > 0)
    return float(np.average(values[there], weights=weights[there])) if there.any() else None


def gain(new: np.ndarray, old: np.ndarray, lists: Sequence[JudgedList], level: float = _LEVEL) -> Gain:
    """Return the gain of ``new`` over ``old``: one metric of each query, paired; with an interval of ``level``."""
    weights = weights_of(lists)
    difference = new - old
    there = ~np.isnan(difference) & (weights > 0)
    count = int(there.sum())
    if not count:
        return Gain(None, None, None, 0)
    clusters = np.unique(np.array([one.query.cluster_id for one in lists])[there], return_inverse=True)[1]
    sums = np.bincount(clusters, weights[there] * difference[there])
    totals = np.bincount(clusters, weights[there])
    low, high = _bootstrapped(sums, totals, level)
    return Gain(float(sums.sum() / totals.sum()), low, high, count)


def weights_of(lists: Sequence[JudgedList]) -> np.ndarray:
    """Return what each query counts: at most 1, less where few or distrusted users stand behind its ratings."""
    return np.array([one.query.weight for one in lists], np.float64)


def _bootstrapped(sums: np.ndarray, totals: np.ndarray, level: float) -> tuple[float | None, float | None]:
    """Return the bounds of the interval of Σ sums / Σ totals over clusters; one cluster tells nothing."""
    from scipy.stats import bootstrap

    if len(sums) < 2:
        return None, None
    with warnings.catch_warnings():
        # Where all clusters agree, the interval is a point, which scipy remarks on.
        warnings.simplefilter("ignore")
        found = bootstrap(
            (sums, totals),
            lambda some, all_of, axis: some.sum(axis) / all_of.sum(axis),
            n_resamples=max(_RESAMPLES, math.ceil(2 * _IN_TAIL / (1 - level))),
            paired=True,
            vectorized=True,
            batch=200,
            confidence_level=level,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        ).confidence_interval
    return float(found.low), float(found.high)


def means(figures: Figures, lists: Sequence[JudgedList]) -> dict[str, float | None]:
    """Return the mean of each metric over the lists."""
    weights = weights_of(lists)
    return {metric: _rounded(weighted_mean(figures.of(metric), weights)) for metric in METRICS}


def gains(new: Figures, old: Figures, lists: Sequence[JudgedList]) -> dict[str, Gain]:
    """Return the gain in each metric."""
    return {metric: gain(new.of(metric), old.of(metric), lists) for metric in METRICS}


def slices_of(lists: Sequence[JudgedList]) -> Mapping[str, np.ndarray]:
    """Return which lists are in each slice: by source where there are several, by length of the query in words."""
    sources = np.array([one.query.source for one in lists])
    words = np.array([len(one.query.query.split()) for one in lists])
    found = {
        f"source {name or '(none)'}": sources == name for name in np.unique(sources) if len(np.unique(sources)) > 1
    }
    lengths = {"up to 6 words": words <= 6, "7 to 12 words": (words > 6) & (words <= 12), "over 12 words": words > 12}
    return {**found, **{f"query of {name}": mask for name, mask in lengths.items() if mask.any()}}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
