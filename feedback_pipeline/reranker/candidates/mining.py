"""Hard negatives beyond those that users rated: passages that look right to the retriever and that nobody found right.

They are mined for each training and are no part of a dataset: they rest on float vectors, which are not the same on
every machine. ``sentence_transformers.util.mine_hard_negatives`` does it, with the margin of NV-Retriever (Moreira et
al. 2024, "TopK-PercPos (95 %)") against passages that are right and that nobody has rated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feedback_pipeline.reranker.rated_queries import RatedQuery, passages_of

RELATIVE_MARGIN = 0.05
MOST_PASSAGES = 5_000
"""Passages that are looked through: each has to be embedded, some thirty a second on two cores."""
_PER_POSITIVE = 1
_LOOKED_AT = 50
"""Nearest passages among which a negative is looked for."""


@dataclass(frozen=True)
class Triplet:
    """A query, a passage that answers it, and one that does not."""

    anchor: str
    positive: str
    negative: str
    weight: float
    is_mined: bool = False


def rated_triplets(queries: Sequence[RatedQuery], most_per_query: int) -> list[Triplet]:
    """Return what users rated as triplets, the heaviest of each query first and no more than so many of it."""
    triplets = []
    for one in queries:
        pairs = [
            Triplet(one.query, positive, negative, min(for_it, against_it))
            for positive, for_it in zip(one.positives, one.positive_weights, strict=True)
            for negative, against_it in zip(one.negatives, one.negative_weights, strict=True)
        ]
        triplets += sorted(pairs, key=lambda pair: (-pair.weight, pair.positive, pair.negative))[:most_per_query]
    return triplets


def mined_triplets(
    queries: Sequence[RatedQuery], known: Sequence[RatedQuery], model: Any, batch_size: int = 32
) -> list[Triplet]:
    """Return a triplet with a mined negative for each positive, where one was found.

    Args:
        queries: those that lack negatives.
        known: all queries of the train split: their passages are looked through, and what was rated for one of a
            query's cluster is never taken.
        model: a loaded ``SentenceTransformer``, the untrained one.
        batch_size: texts embedded at a time.
    """
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    weights = {
        (one.query, passage): weight
        for one in queries
        for passage, weight in zip(one.positives, one.positive_weights, strict=True)
    }
    corpus = passages_of(known)[:MOST_PASSAGES]
    if not weights or len(corpus) <= _PER_POSITIVE:
        return []
    anchors, positives = (list(column) for column in zip(*weights, strict=True))
    found = mine_hard_negatives(
        Dataset.from_dict({"anchor": anchors, "positive": positives}),
        model,
        corpus=corpus,
        relative_margin=RELATIVE_MARGIN,
        num_negatives=_PER_POSITIVE,
        range_max=min(_LOOKED_AT, len({*corpus, *positives}) - 1),
        batch_size=batch_size,
        output_format="triplet",
        verbose=False,
    )
    mined = [
        Triplet(anchor, positive, negative, weights[anchor, positive], is_mined=True)
        for anchor, positive, negative in zip(found["anchor"], found["positive"], found["negative"], strict=True)
    ]
    return _unrated(mined, known)


def _unrated(mined: Sequence[Triplet], known: Sequence[RatedQuery]) -> list[Triplet]:
    """Return what was mined without passages that somebody rated for the same or a near-duplicate query."""
    rated: dict[str, set[str]] = {}
    for one in known:
        rated.setdefault(one.cluster_id, set()).update(one.passages)
    cluster_of = {one.query: one.cluster_id for one in known}
    wanted = (one for one in mined if one.negative not in rated[cluster_of[one.anchor]])
    return sorted(wanted, key=lambda one: (one.anchor, one.positive, one.negative))
