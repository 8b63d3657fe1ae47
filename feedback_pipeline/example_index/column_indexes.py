"""What readers of the whole table search by: the database, and for large databases the vectors."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from lancedb.table import Table

KEEP_ALL_VERSIONS = timedelta(days=36_500)
"""Pruning old versions raises where a tag holds one, so optimising must not prune by itself."""
_MAX_UNINDEXED_DATABASES = 0.05
_MAX_UNINDEXED_VECTORS = 0.02
_FEW_ROWS = 2_000


def index_columns(table: Table, rows: int, largest_database: int, vector_index_min_rows: int) -> None:
    """Build the indexes that are missing, and extend them where many rows are not in them yet.

    Rows outside an index are found too, by reading all of them, so a small share of them costs little.

    Args:
        table: the index table at its newest version.
        rows: its rows.
        largest_database: rows of the database that has most.
        vector_index_min_rows: rows of one database from which vectors are indexed.

    """
    if not rows:
        return
    names = {column: index.name for index in table.list_indices() for column in index.columns}
    vectors = vector_columns(table.schema) if largest_database >= vector_index_min_rows else []
    _index_databases(table, rows, names)
    _index_vectors(table, rows, vectors, names)


def vector_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that hold vectors."""
    return [field.name for field in schema if pa.types.is_fixed_size_list(field.type)]


def _index_databases(table: Table, rows: int, names: dict[str, str]) -> None:
    from lancedb.index import Bitmap

    if "database_id" in names and _unindexed(table, names["database_id"]) <= _bound(rows, _MAX_UNINDEXED_DATABASES):
        return
    # Made anew, which takes 0.4 s for a million rows: ``optimize`` would also merge all rows into one unsorted file.
    table.create_index("database_id", config=Bitmap(), replace=True)


def _index_vectors(table: Table, rows: int, vectors: list[str], names: dict[str, str]) -> None:
    from lancedb.index import IvfRq

    missing = [column for column in vectors if column not in names]
    for column in missing:
        table.create_index(column, config=IvfRq(distance_type="cosine"))
    if any(
        _unindexed(table, names[column]) > _bound(rows, _MAX_UNINDEXED_VECTORS)
        for column in vectors
        if column not in missing
    ):
        # Each part of a vector index stays with the files it was made of, so no files are merged here.
        table.optimize(cleanup_older_than=KEEP_ALL_VERSIONS)


def _unindexed(table: Table, name: str) -> int:
    statistics = table.index_stats(name)
    return statistics.num_unindexed_rows if statistics else 0


def _bound(rows: int, share: float) -> float:
    return max(_FEW_ROWS, share * rows)
