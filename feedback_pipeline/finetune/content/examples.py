"""Where the rows of a release come from: a table in memory, or one stored as Parquet that is never held as a whole."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feedback_pipeline.finetune.content.kind import TEXT2SQL, DatasetKind
from feedback_pipeline.tables.files import filesystem

_BATCH_ROWS = 32_768
_NOT_RELEASED = ("canonical_question", "canonical_sql")
"""Columns of examples that no row is made of."""


class RowBatches(Protocol):
    """Canonical rows in the order of ``row_id``, which may be read more than once."""

    def batches(self) -> Iterator[pa.Table]:
        """Yield all rows, some at a time."""
        ...


class Examples(RowBatches, Protocol):
    """What a stage made, such as schemas.DEDUPED_FEEDBACK, giving the rows of a dataset in the order of their key."""

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of all examples."""
        ...


class TableExamples:
    """Examples in memory, in any order."""

    def __init__(self, table: pa.Table, kind: DatasetKind = TEXT2SQL):
        self._kind = kind
        self._table = table.sort_by(kind.key)

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of all examples."""
        return self._table.select(list(names))

    def batches(self) -> Iterator[pa.Table]:
        """Yield all rows, some at a time."""
        for start in range(0, self._table.num_rows, _BATCH_ROWS):
            yield self._kind.from_stage(self._table.slice(start, _BATCH_ROWS))


class StoredExamples:
    """Examples in a Parquet file, local or remote, which must be ordered by their key.

    ``rated`` are answers to their questions that users rated down: ``example_id``, ``rated_down``, ``rated_in``.
    """

    def __init__(self, path: str, rated: pa.Table | None = None, kind: DatasetKind = TEXT2SQL):
        self._path = path
        self._rated = rated
        self._kind = kind

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of all examples. Raises ValueError where the key shows them in another order."""
        fs, inner = filesystem(self._path)
        with fs.open(inner, "rb") as file:
            table = pq.read_table(file, columns=list(names))
        if (key := self._kind.key) in names:
            ids = table[key].combine_chunks()
            if len(ids) > 1 and not pc.all(pc.less(ids[:-1], ids[1:])).as_py():
                raise ValueError(f"the rows of {self._path} are not ordered by {key}")
        return table

    def batches(self) -> Iterator[pa.Table]:
        """Yield all rows, some at a time."""
        fs, inner = filesystem(self._path)
        with fs.open(inner, "rb") as file:
            stored = pq.ParquetFile(file)
            needed = [name for name in stored.schema_arrow.names if name not in _NOT_RELEASED]
            for batch in stored.iter_batches(self._kind.shard_rows or _BATCH_ROWS, columns=needed):
                yield self._kind.from_stage(self._with_ratings(pa.Table.from_batches([batch])))

    def _with_ratings(self, examples: pa.Table) -> pa.Table:
        if self._rated is None or not self._rated.num_rows:
            return examples
        places = pc.index_in(examples["example_id"], value_set=self._rated["example_id"].combine_chunks())
        for name in ("rated_down", "rated_in"):
            lists = self._rated[name].take(places).combine_chunks()
            examples = examples.append_column(name, pc.fill_null(lists, pa.scalar([], lists.type)))
        return examples


class NumberedRows(Protocol):
    """The rows of a release, numbered from 0 in the order of ``row_id``."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        ...

    def batches(self) -> Iterator[tuple[slice | np.ndarray, pa.Table]]:
        """Yield all rows, some at a time and in any order, with their numbers."""
        ...


@dataclass(frozen=True)
class KeptRows:
    """The rows of a release: those of ``rows`` that ``kept`` tells (booleans), numbered from 0.

    ``difficulty`` is told of each, where it is known already: it is the same for all who read them.
    """

    rows: RowBatches
    kept: np.ndarray
    difficulty: pa.Array | None = None

    def __len__(self) -> int:
        """Return how many rows there are."""
        return int(self.kept.sum())

    def batches(self) -> Iterator[tuple[slice, pa.Table]]:
        """Yield rows, some at a time, with their numbers."""
        read = numbered = 0
        for batch in self.rows.batches():
            mask = self.kept[read : read + batch.num_rows]
            read += batch.num_rows
            some = batch if mask.all() else batch.filter(pa.array(mask))
            numbers = slice(numbered, numbered + some.num_rows)
            if self.difficulty is not None:
                some = some.append_column("difficulty", self.difficulty.slice(numbered, some.num_rows))
            yield numbers, some
            numbered += some.num_rows
