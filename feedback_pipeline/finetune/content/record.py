"""What the publisher must know of a version to make the next: the file ``rows.parquet``, a line for each row.

Rows that have left are kept by their keys, so that they, their question and their skeleton find their split again.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feedback_pipeline.finetune.content.rows import FINGERPRINT_BYTES, SPLITS, row_keys
from feedback_pipeline.finetune.content.splits import Keys, Remembered
from feedback_pipeline.tables.parquet import parquet_bytes

FILE = "rows.parquet"

_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("shard", pa.int32()),
        pa.field("fingerprint", pa.binary(FINGERPRINT_BYTES)),
        pa.field("question_key", pa.uint64()),
        pa.field("skeleton_key", pa.uint64()),
    ]
)
_GONE = -1
_ID_DIGITS = 16


@dataclass(frozen=True)
class Record:
    """All rows a dataset has ever had, ordered by key; arrays of shape (rows,).

    Attributes:
        keys: what each row is recognised by.
        splits: as places in SPLITS.
        shards: the number of the file of its split that a row is in, -1 where the row has left.
        prints: ``rows.fingerprints``: bytes of shape (rows, 16); zeros where the row has left.
    """

    keys: Keys
    splits: np.ndarray
    shards: np.ndarray
    prints: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """Which rows are in this version."""
        return self.shards != _GONE

    @property
    def row_ids(self) -> list[str]:
        """The id of each row."""
        return _row_ids(self.keys.row).to_pylist()

    def remembered(self, keys: Keys) -> np.ndarray:
        """Return the split most held out that each row, its question or its skeleton ever had; -1 where all are new."""
        memories = (
            (self.keys.row, keys.row),
            (self.keys.question, keys.question),
            (self.keys.skeleton, keys.skeleton),
        )
        # Versions before format 2 know no question and no skeleton, which is 0 here.
        told = [np.ones(len(self.splits), bool), self.keys.question > 0, self.keys.skeleton > 0]
        found = [
            Remembered.of(known[there], self.splits[there]).look_up(asked)
            for (known, asked), there in zip(memories, told, strict=True)
        ]
        return np.maximum.reduce(found)

    def places_of(self, row_keys: np.ndarray) -> np.ndarray:
        """Return where each row stands here, -1 where it never was."""
        if not len(self.keys.row):
            return np.full(len(row_keys), -1)
        at = np.minimum(np.searchsorted(self.keys.row, row_keys), len(self.keys.row) - 1)
        return np.where(self.keys.row[at] == row_keys, at, -1)

    def with_departed(self, earlier: "Record") -> "Record":
        """Return this record with the rows of an earlier one that are not in this version any more."""
        gone = self.places_of(earlier.keys.row) < 0
        count = int(gone.sum())
        together = Record(
            Keys(*(np.concatenate(pair) for pair in zip(_arrays(self.keys), _arrays(earlier.keys, gone), strict=True))),
            np.concatenate([self.splits, earlier.splits[gone]]),
            np.concatenate([self.shards, np.full(count, _GONE, np.int32)]),
            np.concatenate([self.prints, np.zeros((count, FINGERPRINT_BYTES), np.uint8)]),
        )
        return together.select(np.argsort(together.keys.row, kind="stable"))

    def select(self, rows: np.ndarray) -> "Record":
        """Return some rows, by place or by mask."""
        return Record(Keys(*_arrays(self.keys, rows)), self.splits[rows], self.shards[rows], self.prints[rows])

    def content(self) -> bytes:
        """Return the bytes of ``rows.parquet``."""
        left = ~self.present
        columns: dict[str, Any] = {
            "row_id": _row_ids(self.keys.row),
            "split": pa.array(SPLITS).take(pa.array(self.splits.astype(np.int32))),
            "shard": pa.array(self.shards.astype(np.int32), mask=left),
            "fingerprint": _fixed_size(self.prints, left),
            "question_key": pa.array(self.keys.question.astype(np.uint64)),
            "skeleton_key": pa.array(self.keys.skeleton.astype(np.uint64)),
        }
        return parquet_bytes(pa.table(columns, schema=_SCHEMA))


def _arrays(keys: Keys, rows: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return keys.row[rows], keys.question[rows], keys.skeleton[rows]


def _row_ids(keys: np.ndarray) -> pa.Array:
    """Return keys as the hexadecimal digits they stand for."""
    digits = keys.astype(">u8").tobytes().hex().encode()
    offsets = np.arange(len(keys) + 1, dtype=np.int32) * _ID_DIGITS
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(offsets.tobytes()), pa.py_buffer(digits))


def _fixed_size(prints: np.ndarray, null: np.ndarray) -> pa.Array:
    there = pa.py_buffer(np.packbits(~null, bitorder="little").tobytes())
    values = pa.py_buffer(np.ascontiguousarray(prints).tobytes())
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(FINGERPRINT_BYTES), len(prints), [there, values])


def record_of(content: bytes) -> Record:
    """Return the record in the bytes of ``rows.parquet``. Raises pyarrow.ArrowException where they are damaged."""
    table = pq.read_table(io.BytesIO(content)).cast(_SCHEMA)
    row = row_keys(table["row_id"])
    keys = Keys(row, *(table[name].to_numpy() for name in ("question_key", "skeleton_key")))
    shards = table["shard"].fill_null(_GONE).to_numpy()
    prints = b"".join(table["fingerprint"].fill_null(bytes(FINGERPRINT_BYTES)).to_pylist())
    splits = pc.index_in(table["split"], value_set=pa.array(SPLITS)).to_numpy().astype(np.int8)
    return Record(keys, splits, shards, np.frombuffer(prints, np.uint8).reshape(-1, FINGERPRINT_BYTES))


def record_of_splits(splits: dict[str, str]) -> Record:
    """Return the record of a version that only knows the split of each row_id, as those before format 2."""
    row_ids = sorted(splits)
    row = row_keys(pa.chunked_array([pa.array(row_ids, pa.string())]))
    nothing = np.zeros(len(row), np.uint64)
    codes = np.array([SPLITS.index(splits[row_id]) for row_id in row_ids], np.int8)
    prints = np.zeros((len(row), FINGERPRINT_BYTES), np.uint8)
    return Record(Keys(row, nothing, nothing), codes, np.full(len(row), _GONE, np.int32), prints)
