"""The rows of a reranker dataset as training and evaluation read them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = (
    *("row_id", "query", "source", "cluster_id", "weight"),
    *("positives", "positive_weights", "positive_ranks", "negatives", "negative_weights", "negative_ranks"),
    "negative_origins",
)
"""The columns of schemas.RERANKER_QUERIES that are read."""

_ROWS_AT_A_TIME = 1_000


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
    negative_origins: tuple[str, ...]

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
    return rated_queries_of([rows], most)


def rated_queries_of(tables: Iterable[pa.Table], most: int | None = None) -> list[RatedQuery]:
    """Return the same of the rows of several tables, such as the files of a release.

    Args:
        tables: read one after another; beside one of them, no more than ``most`` rows are held.
        most: bounds the memory and time of what follows.
    """
    held: pa.Table | None = None
    for table in tables:
        rows = table.select(list(COLUMNS))
        held = _heaviest(rows if held is None else pa.concat_tables([held, rows]), most)
    if held is None:
        return []
    batches = held.to_batches(max_chunksize=_ROWS_AT_A_TIME)
    return sorted((_rated_query(row) for batch in batches for row in batch.to_pylist()), key=lambda one: one.row_id)


def _heaviest(rows: pa.Table, most: int | None) -> pa.Table:
    """Return the heaviest rows, chosen by two columns before anything becomes Python objects, which are far larger."""
    if most is None or len(rows) <= most:
        return rows
    order = [("weight", "descending"), ("row_id", "ascending")]
    places = pc.call_function("sort_indices", [rows.select(["weight", "row_id"])], pc.SortOptions(order))
    chosen = np.zeros(len(rows), bool)
    chosen[places.to_numpy()[:most]] = True
    return rows.filter(pa.array(chosen))


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
