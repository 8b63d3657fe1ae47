"""One stored table per stage and partition: content-addressed Parquet behind a pointer that moves last."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import daft
import pyarrow as pa
import pyarrow.parquet as pq

from feedback_pipeline.tables.files import filesystem, read_json, sha256, write_bytes, write_json
from feedback_pipeline.tables.large_files import put_file, sha256_of_file, written_aside
from feedback_pipeline.tables.parquet import parquet_bytes

WHOLE = "all"
"""Partition name of a stage that is not partitioned."""


@dataclass(frozen=True)
class StoredTable:
    """A stored table: where it lies, its rows, its content's SHA-256 and what the stage noted beside it."""

    path: str
    rows: int
    digest: str
    notes: dict[str, Any] = field(default_factory=dict)


class StageTables:
    """The tables between stages below one storage root."""

    def __init__(self, root: str):
        self._root = f"{root.rstrip('/')}/tables"

    def write(
        self, stage: str, table: pa.Table, partition: str = WHOLE, notes: dict[str, Any] | None = None
    ) -> StoredTable:
        """Store ``table`` as the current content of a stage's partition and return where it lies.

        Raises:
            StorageError: the storage cannot be written; the former content stays current.

        """
        content = parquet_bytes(table)
        digest = sha256(content)
        previous = self.describe(stage, partition)
        stored = StoredTable(self._data_path(stage, partition, digest), table.num_rows, digest, notes or {})
        if previous is None or previous.digest != digest:
            write_bytes(stored.path, content)
        pointer = {"digest": digest, "rows": stored.rows, "notes": stored.notes}
        write_json(self._pointer_path(stage, partition), pointer)
        self._sweep(stage, partition, keep={digest, previous.digest if previous else digest})
        return stored

    def write_batches(
        self,
        stage: str,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        partition: str = WHOLE,
        notes: dict[str, Any] | None = None,
    ) -> StoredTable:
        """Store a table that is never in memory as a whole; see ``write``. Equal batches give equal bytes.

        Raises:
            StorageError: the storage, or the folder for temporary files, cannot be written.

        """
        previous = self.describe(stage, partition)
        with written_aside(self._root, schema, batches) as (path, rows):
            digest = sha256_of_file(path)
            stored = StoredTable(self._data_path(stage, partition, digest), rows, digest, notes or {})
            if previous is None or previous.digest != digest:
                put_file(path, stored.path)
        write_json(self._pointer_path(stage, partition), {"digest": digest, "rows": rows, "notes": stored.notes})
        self._sweep(stage, partition, keep={digest, previous.digest if previous else digest})
        return stored

    def describe(self, stage: str, partition: str = WHOLE) -> StoredTable | None:
        """Return what is stored for a partition, or None."""
        pointer = read_json(self._pointer_path(stage, partition))
        if pointer is None:
            return None
        digest = pointer["digest"]
        return StoredTable(self._data_path(stage, partition, digest), pointer["rows"], digest, pointer["notes"])

    def partitions(self, stage: str) -> list[str]:
        """Return the names of the stored partitions of a stage, in order."""
        fs, inner = filesystem(f"{self._root}/{stage}")
        return sorted(str(path).split("/")[-2] for path in fs.glob(f"{inner}/*/current.json"))

    def read(self, stage: str, schema: pa.Schema) -> daft.DataFrame:
        """Return all partitions of a stage as one lazy frame; an empty one where nothing is stored yet."""
        described = (self.describe(stage, partition) for partition in self.partitions(stage))
        stored = [table for table in described if table is not None]
        paths = [table.path for table in stored if table.rows]
        if paths:
            return daft.read_parquet(paths)
        return daft.from_arrow(_read_parquet(stored[0].path) if stored else schema.empty_table())

    def batches(self, stage: str, columns: list[str], rows: int = 16_384) -> Iterator[pa.Table]:
        """Yield some columns of all partitions of a stage, in order, so many rows at a time."""
        described = (self.describe(stage, partition) for partition in self.partitions(stage))
        for stored in (table for table in described if table is not None and table.rows):
            fs, inner = filesystem(stored.path)
            with fs.open(inner, "rb") as file:
                for batch in pq.ParquetFile(file).iter_batches(rows, columns=columns):
                    yield pa.Table.from_batches([batch])

    def read_partition(self, stage: str, partition: str = WHOLE) -> pa.Table | None:
        """Return one partition as an Arrow table, or None if it is not stored."""
        stored = self.describe(stage, partition)
        while stored is not None:
            try:
                return _read_parquet(stored.path)
            except FileNotFoundError:
                # A writer replaced the table between the pointer and the file; only a new pointer is worth a new try.
                missing, stored = stored, self.describe(stage, partition)
                if stored == missing:
                    raise
        return None

    def stages(self) -> list[str]:
        """Return the names of all stages that have a stored table."""
        fs, inner = filesystem(self._root)
        return sorted({str(path).split("/")[-3] for path in fs.glob(f"{inner}/*/*/current.json")})

    def rewrite(self, stage: str, partition: str, table: pa.Table) -> StoredTable:
        """Replace the content of a partition, keep its notes, and remove every former content at once.

        What reads the table at this very moment has to start again.
        """
        stored = self.describe(stage, partition)
        written = self.write(stage, table, partition, stored.notes if stored else None)
        self.drop_former(stage, partition)
        return written

    def drop_former(self, stage: str, partition: str) -> int:
        """Remove all files of a partition but its current content, and return how many held rows there were."""
        stored = self.describe(stage, partition)
        fs, inner = filesystem(f"{self._root}/{stage}/{partition}")
        kept = {"current.json", stored.path.rsplit("/", 1)[-1] if stored else ""}
        former = [str(path) for path in fs.ls(inner, detail=False) if str(path).rsplit("/", 1)[-1] not in kept]
        for path in former:
            fs.rm_file(path)
        return sum(path.endswith(".parquet") for path in former)

    def files(self) -> list[str]:
        """Return all data files there are, current or not."""
        fs, inner = filesystem(self._root)
        return sorted(str(path) for path in fs.glob(f"{inner}/*/*/*.parquet"))

    def read_file(self, path: str) -> pa.Table:
        """Return one of ``files``."""
        fs, _ = filesystem(self._root)
        with fs.open(path, "rb") as file:
            return pq.read_table(file)

    def _sweep(self, stage: str, partition: str, keep: set[str]) -> None:
        """Remove older contents; the one just replaced stays, because somebody may be reading it."""
        fs, inner = filesystem(f"{self._root}/{stage}/{partition}")
        kept = {f"{digest[:16]}.parquet" for digest in keep}
        for path in fs.glob(f"{inner}/*.parquet"):
            if str(path).rsplit("/", 1)[-1] not in kept:
                fs.rm_file(path)

    def _pointer_path(self, stage: str, partition: str) -> str:
        return f"{self._root}/{stage}/{partition}/current.json"

    def _data_path(self, stage: str, partition: str, digest: str) -> str:
        return f"{self._root}/{stage}/{partition}/{digest[:16]}.parquet"


def _read_parquet(path: str) -> pa.Table:
    fs, inner = filesystem(path)
    with fs.open(inner, "rb") as file:
        return pq.read_table(file)
