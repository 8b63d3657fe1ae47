"""Rows into the index table: all of them in order, or only the difference."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.example_index.catalog import TABLE, IndexCatalog
from feedback_pipeline.example_index.stored_rows import (
    Difference,
    StoredRows,
    fragments_to_merge,
    rows_of_fragment,
)

if TYPE_CHECKING:
    from lancedb.table import Table

_ROWS_PER_BATCH = 16_384
_ROWS_PER_DELETE = 10_000
_ORDER = [("database_id", "ascending"), ("example_id", "ascending")]


def write_whole(catalog: IndexCatalog, rows: pa.Table) -> Table:
    """Write all rows anew, sorted by database. Earlier versions stay readable: overwriting keeps the history."""
    batches = pa.RecordBatchReader.from_batches(rows.schema, _sorted_batches(rows))
    return catalog.connect().create_table(TABLE, data=batches, mode="overwrite")


def write_difference(table: Table, wanted: pa.Table, stored: StoredRows, difference: Difference) -> None:
    """Bring ``table``, which holds ``stored``, to what is wanted: rows are marked as deleted, others added.

    Small fragments of earlier calls are written again together with the fresh rows (``fragments_to_merge``).
    """
    merged = fragments_to_merge(stored, difference)
    in_merged = np.isin(stored.fragments, merged)
    delete_rows(table, stored.row_ids[np.setdiff1d(difference.stale, np.flatnonzero(in_merged))])
    for fragment in merged:
        first, end = rows_of_fragment(fragment)
        table.delete(f"_rowid >= {first} AND _rowid < {end}")
    moved = difference.place_of[in_merged]
    added = np.concatenate([difference.fresh, moved[moved >= 0]])
    if len(added):
        table.add(pa.Table.from_batches(_sorted_batches(_Rows(wanted).take(added)), wanted.schema))


def delete_rows(table: Table, row_ids: np.ndarray) -> None:
    """Mark rows as deleted, given LanceDB's row numbers."""
    for start in range(0, len(row_ids), _ROWS_PER_DELETE):
        some = ", ".join(map(str, row_ids[start : start + _ROWS_PER_DELETE].tolist()))
        table.delete(f"_rowid IN ({some})")


def _sorted_batches(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield the rows in order, some at a time: a sorted copy of a million would take gigabytes."""
    order = pc.sort_indices(rows.select([name for name, _ in _ORDER]), _ORDER).to_numpy().astype(np.int64)
    held = _Rows(rows)
    for start in range(0, len(order), _ROWS_PER_BATCH):
        yield from held.take(order[start : start + _ROWS_PER_BATCH]).to_batches()


class _Rows:
    """The rows of a table in pieces, from which some can be taken without copying all: ``Table.take`` joins them first.

    Args:
        table: the rows.

    """

    def __init__(self, table: pa.Table):
        self._schema, self._pieces = table.schema, table.to_batches()
        self._starts = np.cumsum([0, *map(len, self._pieces)])[:-1]

    def take(self, places: np.ndarray) -> pa.Table:
        """Return the rows at ``places``, in that order, in one piece."""
        piece_of = np.searchsorted(self._starts, places, side="right") - 1
        by_piece = np.argsort(piece_of, kind="stable")
        found = [
            self._pieces[piece].take(pa.array(places[piece_of == piece] - self._starts[piece]))
            for piece in np.unique(piece_of)
        ]
        together = pa.Table.from_batches(found, self._schema).combine_chunks()
        return together.take(pa.array(np.argsort(by_piece))).combine_chunks()
