"""What is left of a version once what rests on some ids is gone: read file by file, never as a whole."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterator, Sequence, Set

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feedback_pipeline.finetune.catalog import Release, read_data
from feedback_pipeline.finetune.content.kind import kind_of
from feedback_pipeline.finetune.content.rows import row_keys
from feedback_pipeline.tables.files import filesystem

ORIGINS = ("feedback_ids", "rated_in", "interaction_ids")
"""The columns that name where a row comes from."""


class RemainingRows:
    """The rows of a version that do not rest on ``ids``, without what rests on ratings among them.

    Attributes:
        kind: of the dataset.
        keys: of the rows, ascending: numbers of 64 bits, of shape (rows,).
    """

    def __init__(self, release: Release, ids: Set[str]):
        self._paths, self._ids = release.data_files, ids
        self.kind = kind_of(release.manifest)
        self.keys = np.sort(row_keys(self._read([])["row_id"]))

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.keys)

    def batches(self) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """Yield all rows, a file at a time, with their numbers in the order of ``row_id``."""
        for path in self._paths:
            rows = self._kept(self.kind.completed(read_data(path)))
            yield np.searchsorted(self.keys, row_keys(rows["row_id"])), _without_ratings(rows, self._ids)

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of all rows, in the order of ``row_id``."""
        table = self._read(names)
        return table.take(pa.array(np.argsort(row_keys(table["row_id"]))))

    def _read(self, names: Sequence[str]) -> pa.Table:
        wanted = list(dict.fromkeys(["row_id", self.kind.origins, *names]))
        parts = [self._kept(self._columns(path, wanted)) for path in self._paths]
        return pa.concat_tables(parts or [self.kind.rows.empty_table().select(wanted)])

    def _columns(self, path: str, names: list[str]) -> pa.Table:
        if set(names) <= set(columns_in(path)):
            return read_data(path, names)
        # A format before this one: what it lacks is made of other columns.
        return self.kind.completed(read_data(path)).select(names)

    def _kept(self, rows: pa.Table) -> pa.Table:
        return rows.filter(pa.array(~matches(rows, self._ids, [self.kind.origins])))


def columns_in(path: str) -> list[str]:
    """Return the names of the columns of a Parquet file."""
    fs, inner = filesystem(path)
    with fs.open(inner, "rb") as file:
        return pq.read_schema(file).names


def matches(table: pa.Table, ids: Set[str], names: Sequence[str] = ORIGINS) -> np.ndarray:
    """Return which rows name any of ``ids`` in these columns, where it has them: booleans of shape (rows,)."""
    wanted = pa.array(sorted(ids), pa.string())
    found = np.zeros(table.num_rows, bool)
    for name in set(names) & set(table.column_names):
        lists = table[name].combine_chunks()
        hits = pc.is_in(lists.flatten(), value_set=wanted).to_numpy(zero_copy_only=False)
        found[pc.list_parent_indices(lists).to_numpy()[hits]] = True
    return found


def _without_ratings(rows: pa.Table, ids: Set[str]) -> pa.Table:
    """Return the rows without what was rated down, where that rests on ``ids`` too; the next run counts anew."""
    rated = matches(rows, ids, ["rated_in"])
    for name in ("rated_down", "rated_in") if rated.any() else ():
        lists = rows[name].combine_chunks()
        emptied = pc.if_else(pa.array(rated), pa.scalar([], lists.type), lists)
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), emptied)
    return rows
