"""Pairs of a good and a bad passage of one query: what the calibrated combination is learned from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from feedback_pipeline.reranker.rated_queries import RatedQuery

MOST_PAIRS = 16
"""Pairs of one query. Those of many good and bad passages tell the same over and over, and each passage costs a look of
the cross-encoder."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of a good and a bad passage of one query; a query's pairs weigh together what the query weighs.

    Attributes:
        texts: each (query, passage) once, though it may be in several pairs.
        good: places of the good ones in ``texts``: int64 of shape (pairs,).
        bad: places of the bad ones: int64 of shape (pairs,).
        weights: float64 of shape (pairs,).
        clusters: a number shared by near-duplicate queries, in the order of ``cluster_id``: int64 of shape (pairs,).
    """

    texts: list[tuple[str, str]]
    good: np.ndarray
    bad: np.ndarray
    weights: np.ndarray
    clusters: np.ndarray

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.weights)

    def where(self, mask: np.ndarray) -> "Pairs":
        """Return some of the pairs, of the same texts."""
        columns = {name: getattr(self, name)[mask] for name in ("good", "bad", "weights", "clusters")}
        return replace(self, **columns)


def pairs_of(queries: Iterable[RatedQuery], most: int = MOST_PAIRS) -> Pairs:
    """Return the pairs of queries, of each no more than the ``most`` heaviest.

    A pair counts as its lighter passage does, and all of a query together as the query: who has rated a hundred
    passages of one query is no more sure of how users judge than who has rated two.
    """
    texts: dict[tuple[str, str], int] = {}
    rows, weights, clusters = [], [], []
    for one in queries:
        found = _heaviest(one, most)
        total = sum(weight for *_, weight in found)
        for good, bad, weight in found:
            rows.append([texts.setdefault((one.query, passage), len(texts)) for passage in (good, bad)])
            weights.append(one.weight * (weight / total if total else 1 / len(found)))
            clusters.append(one.cluster_id)
    places = np.array(rows, np.int64).reshape(-1, 2)
    numbers = np.unique(np.array(clusters, str), return_inverse=True)[1].astype(np.int64)
    return Pairs(list(texts), places[:, 0], places[:, 1], np.array(weights, np.float64), numbers)


def _heaviest(one: RatedQuery, most: int) -> list[tuple[str, str, float]]:
    """Return the heaviest pairs as (good, bad, weight), and of equal ones those of the foremost passages.

    No pair is made that could not be among them: before that of the third good and the fifth bad passage come all of
    the first three and five.
    """
    good, bad = _by_weight(one.positives, one.positive_weights), _by_weight(one.negatives, one.negative_weights)
    places = [(i, j) for i in range(min(len(good), most)) for j in range(min(len(bad), most // (i + 1)))]
    lighter = {(i, j): min(good[i][1], bad[j][1]) for i, j in places}
    chosen = sorted(places, key=lambda place: (-lighter[place], sum(place), place))[:most]
    return [(good[i][0], bad[j][0], lighter[i, j]) for i, j in chosen]


def _by_weight(passages: Sequence[str], weights: Sequence[float]) -> list[tuple[str, float]]:
    return sorted(zip(passages, weights, strict=True), key=lambda one: (-one[1], one[0]))
