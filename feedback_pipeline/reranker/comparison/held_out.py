"""Held-out queries as lists to be ordered: rated passages, and others the base retriever would bring up beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from feedback_pipeline.reranker.rated_queries import RatedQuery, by_source, passages_of

DISTRACTORS = 20
"""Passages nobody rated that stand in each list, the most similar: what a retriever would give beside the rated."""
_MOST_PASSAGES = 5_000
_RATED = "rated"
"""Of schemas.RERANKER_QUERIES: a thumb down, other than having been surfaced beside a thumb up."""

Encode = Callable[[list[str]], np.ndarray]
"""Texts to float32 unit vectors of shape (texts, dimension)."""


@dataclass(frozen=True)
class JudgedList:
    """One query with passages to be ordered.

    Attributes:
        query: with what users rated.
        passages: the rated ones first, then distractors.
        labels: 1 for good passages, 0 for others: shape (passages,).
        judged: which passages make pairs: the good ones, and those users rated down. Where nobody rated one down, those
            surfaced beside the good ones: that nobody praised them says something, if little.
        cosine: similarity to the query in the untrained retriever.
        surfaced: minus the mean place at which a passage was surfaced; NaN for distractors.
        is_rated_down: whether users rated a passage down.
    """

    query: RatedQuery
    passages: tuple[str, ...]
    labels: np.ndarray
    judged: np.ndarray
    cosine: np.ndarray
    surfaced: np.ndarray
    is_rated_down: bool = True


def judged_lists(queries: Sequence[RatedQuery], known: Sequence[RatedQuery], encode: Encode) -> list[JudgedList]:
    """Return a list for each query with a good passage, and others to tell it from.

    Args:
        queries: the held-out ones.
        known: all queries whose passages may stand beside the rated ones, of the same source.
        encode: the untrained retriever's encoder.
    """
    lists = []
    rated = _rated_by_cluster([*queries, *known])
    for source, asked in by_source(queries).items():
        corpus = passages_of([*asked, *(one for one in known if one.source == source)])[:_MOST_PASSAGES]
        texts = sorted({*corpus, *(one.query for one in asked), *passages_of(asked)})
        vectors = dict(zip(texts, encode(texts), strict=True))
        matrix = np.stack([vectors[text] for text in corpus])
        lists += [_list_of(one, rated[one.cluster_id], corpus, matrix, vectors) for one in asked if one.positives]
    return sorted((one for one in lists if len(one.passages) > 1), key=lambda one: one.query.row_id)


def _rated_by_cluster(queries: Sequence[RatedQuery]) -> dict[str, set[str]]:
    """Return what was rated for any of near-duplicate queries: it may be right for all of them."""
    rated: dict[str, set[str]] = {}
    for one in queries:
        rated.setdefault(one.cluster_id, set()).update(one.passages)
    return rated


def _list_of(
    one: RatedQuery, rated: set[str], corpus: list[str], matrix: np.ndarray, vectors: dict[str, np.ndarray]
) -> JudgedList:
    similar = matrix @ vectors[one.query]
    nearest = (corpus[place] for place in np.argsort(-similar, kind="stable") if corpus[place] not in rated)
    others = tuple(text for text, _ in zip(nearest, range(DISTRACTORS), strict=False))
    passages = one.passages + others
    labels = np.zeros(len(passages), np.int8)
    labels[: len(one.positives)] = 1
    rated_down = np.array([origin == _RATED for origin in one.negative_origins], bool)
    judged = np.zeros(len(passages), bool)
    judged[: len(one.positives)] = True
    judged[len(one.positives) : len(one.passages)] = rated_down if rated_down.any() else True
    return JudgedList(
        one,
        passages,
        labels,
        judged,
        np.array([float(vectors[text] @ vectors[one.query]) for text in passages]),
        -np.array([*one.positive_ranks, *one.negative_ranks, *[np.nan] * len(others)]),
        bool(rated_down.any()),
    )
