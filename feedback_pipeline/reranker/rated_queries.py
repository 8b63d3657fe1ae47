"""The rows of a reranker dataset as training and evaluation read them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

COLUMNS = (
    *("row_id", "query", "source", "cluster_id", "weight"),
    *("positives", "positive_weights", "positive_ranks", "negatives", "negative_weights", "negative_ranks"),
)
"""The columns of schemas.RERANKER_QUERIES that are read."""


@dataclass(frozen=True)
class RatedQuery:
    """What users said of the passages of one query: see schemas.RERANKER_QUERIES for each field."""

    row_id: str
    query: str
    source: str
    cluster_id: str
    weight: float
    positives: tuple[str, ...]
    positive_weights: tuple[float, ...]
    positive_ranks: tuple[float, ...]
    negatives: tuple[str, ...]
    negative_weights: tuple[float, ...]
    negative_ranks: tuple[float, ...]

    @property
    def passages(self) -> tuple[str, ...]:
        """All rated passages, the good ones first."""
        return self.positives + self.negatives

    @property
    def is_two_sided(self) -> bool:
        """Whether there are good and bad passages."""
        return bool(self.positives and self.negatives)


def rated_queries(rows: pa.Table, most: int | None = None) -> list[RatedQuery]:
    """Return the rows of a release, ordered by row_id; only the ``most`` heaviest where there are more.

    Args:
        rows: COLUMNS, others are ignored.
        most: bounds the memory and time of what follows.
    """
    queries = [_rated_query(row) for row in rows.select(list(COLUMNS)).to_pylist()]
    if most is not None and len(queries) > most:
        queries = sorted(queries, key=lambda one: (-one.weight, one.row_id))[:most]
    return sorted(queries, key=lambda one: one.row_id)


def _rated_query(row: dict[str, Any]) -> RatedQuery:
    fields: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in row.items()}
    return RatedQuery(**fields)


def passages_of(queries: Iterable[RatedQuery]) -> list[str]:
    """Return the distinct passages of queries, sorted."""
    return sorted({passage for one in queries for passage in one.passages})


def by_source(queries: Sequence[RatedQuery]) -> dict[str, list[RatedQuery]]:
    """Return queries by the knowledge base they were asked of."""
    sources = sorted({one.source for one in queries})
    return {source: [one for one in queries if one.source == source] for source in sources}
