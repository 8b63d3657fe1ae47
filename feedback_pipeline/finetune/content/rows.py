"""The canonical rows of a dataset: what a trainer gets of an example, the bytes that stand for it, and the digest."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TIMESTAMP = pa.timestamp("us", tz="UTC")

DATASET_ROWS = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("sql", pa.string(), nullable=False),
        pa.field("generated_sql", pa.string()),
        pa.field("results_differ", pa.bool_()),
        pa.field("difference", pa.string()),
        pa.field("wrong_sql", pa.list_(pa.string()), nullable=False),
        pa.field("wrong_differences", pa.list_(pa.string()), nullable=False),
        pa.field("rated_down", pa.list_(pa.string()), nullable=False),
        pa.field("rated_in", pa.list_(pa.string()), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("contributors", pa.int32(), nullable=False),
        pa.field("feedback_ids", pa.list_(pa.string()), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("verified_at", TIMESTAMP, nullable=False),
        pa.field("schema_fingerprint", pa.string()),
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("sql_skeleton", pa.string(), nullable=False),
    ]
)
"""One row per distinct example.

``generated_sql`` is a wrong answer once given, null where none is known; ``results_differ`` tells whether it was seen
to give other results, null where it cannot be told, and ``difference`` says what was seen. ``wrong_sql`` are wrong
answers of which that was seen, with what it was in ``wrong_differences``. ``rated_down`` are further
answers to the same question that users rated down, ``rated_in`` the interactions in which they did.
"""

MOMENT = "verified_at"
"""The column that fingerprints leave out."""

SPLITS = ("train", "validation", "test")
"""From the one that is trained on to the one most held out."""

FINGERPRINT_BYTES = 16

_LISTS = ("wrong_sql", "wrong_differences", "rated_down", "rated_in")

_WEIGHT_UNITS = 1e9
"""Weights are told apart in billionths, as whole numbers: how a float is spelled differs between libraries."""


def dataset_rows(examples: pa.Table) -> pa.Table:
    """Return schemas.DEDUPED_FEEDBACK as DATASET_ROWS, in the same order; ``rated_down`` may be there already."""
    columns = {**dict(zip(examples.column_names, examples.columns, strict=True))}
    columns["row_id"] = columns["example_id"]
    for name in ("rated_down", "rated_in"):
        columns.setdefault(name, _empty_lists(examples.num_rows))
    return pa.table({name: columns[name] for name in DATASET_ROWS.names}).cast(DATASET_ROWS)


def as_dataset_rows(rows: pa.Table) -> pa.Table:
    """Return rows as an earlier format of releases stored them as DATASET_ROWS; what they lack is filled in."""
    count = rows.num_rows
    fillers = {
        **{name: _empty_lists(count) for name in _LISTS},
        "contributors": pa.repeat(pa.scalar(1, pa.int32()), count),
        "verified_at": pa.repeat(pa.scalar(0, pa.int64()).cast(TIMESTAMP), count),
        "evidence": pa.repeat("parsed", count),
        "sql_skeleton": rows["sql"],
    }
    columns = {
        field.name: rows[field.name]
        if field.name in rows.column_names
        else fillers.get(field.name, pa.nulls(count, field.type))
        for field in DATASET_ROWS
    }
    return pa.table(columns).cast(DATASET_ROWS)


@cache
def _nothing() -> pa.Scalar:
    """Return no bytes; made when it is needed, since the first scalar of a process has Arrow import pandas."""
    return pa.scalar(b"", pa.large_binary())


def _empty_lists(count: int) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string()))


def lists_filled(column: pa.ChunkedArray) -> np.ndarray:
    """Return which lists of a column hold anything: booleans of shape (rows,)."""
    return pc.greater(pc.list_value_length(column), 0).to_numpy()


def row_keys(row_ids: pa.ChunkedArray) -> np.ndarray:
    """Return row_ids, 16 hexadecimal digits each, as numbers of 64 bits that sort like them."""
    digits = (bytes.fromhex("".join(chunk.to_pylist())) for chunk in row_ids.chunks)
    return np.frombuffer(b"".join(digits), ">u8").astype(np.uint64)


def fingerprints(rows: pa.Table, schema: pa.Schema = DATASET_ROWS) -> np.ndarray:
    """Return the first 16 bytes of the SHA-256 of each row of ``schema``: bytes of shape (rows, 16).

    When a row was verified plays no part: the same corrections verified elsewhere or again are the same rows.

    A row is spelled as the lengths of its fields, in the order of the schema, as 32-bit little-endian integers (-1 for
    null), and then the fields: text as UTF-8, numbers in decimal digits, fractions in billionths, lists as each item
    with its length before it. Nothing in it depends on how Parquet or Arrow lay a table out.
    """
    return fingerprints_of([rows[field.name].cast(field.type) for field in schema if field.name != MOMENT])


def moments(verified_at: pa.ChunkedArray) -> np.ndarray:
    """Return when rows were verified as microseconds since 1970, of shape (rows,)."""
    return verified_at.cast(pa.int64()).to_numpy()


def fingerprints_of(columns: list[pa.ChunkedArray]) -> np.ndarray:
    """Return the fingerprints of rows that are made of these columns."""
    return _hashed(encoded_rows(columns)) if len(columns[0]) else np.zeros((0, FINGERPRINT_BYTES), np.uint8)


def encoded_rows(columns: list[pa.ChunkedArray]) -> pa.Array:
    """Return each row of these columns as bytes that no other row has, spelled as ``fingerprints`` says."""
    texts = [_texts(_whole(column)) for column in columns]
    return pc.binary_join_element_wise(_lengths(texts), *(_filled(text) for text in texts), _nothing())


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _filled(texts: pa.Array) -> pa.Array:
    return pc.fill_null(texts, _nothing()) if texts.null_count else texts


def _lengths(texts: list[pa.Array]) -> pa.Array:
    """Return the lengths of the texts of each row as one field of 4 bytes each."""
    columns = [pc.fill_null(pc.binary_length(text), -1).to_numpy(zero_copy_only=False) for text in texts]
    matrix = np.stack(columns, axis=1).astype("<i4")
    width = 4 * len(columns)
    offsets = np.arange(len(matrix) + 1, dtype=np.int64) * width
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(matrix.tobytes())]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(matrix), buffers)


def _texts(column: pa.Array) -> pa.Array:
    if pa.types.is_list(column.type):
        items = _texts(column.flatten())
        spelled = pc.binary_join_element_wise(_lengths([items]), _filled(items), _nothing())
        offsets = pc.subtract(column.offsets, column.offsets[0]).cast(pa.int64())
        return pc.binary_join(pa.LargeListArray.from_arrays(offsets, spelled), _nothing())
    if pa.types.is_float64(column.type):
        column = pc.round(pc.multiply(column, _WEIGHT_UNITS)).cast(pa.int64())
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.string()).cast(pa.large_binary())


def _hashed(texts: pa.Array) -> np.ndarray:
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1].tolist()
    content = memoryview(texts.buffers()[2])
    sha256 = hashlib.sha256
    digests = b"".join([sha256(content[start:end]).digest() for start, end in pairwise(offsets)])
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)[:, :FINGERPRINT_BYTES]


def content_digest(prints: np.ndarray, splits: np.ndarray, rendering: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a release's content: equal for equal rows, splits and ways of rendering them.

    Args:
        prints: ``fingerprints`` of all rows, ordered by row_id: bytes of shape (rows, 16).
        splits: the split of each row as its place in SPLITS.
        rendering: what else decides the content: versions and digests of templates and schemas, as JSON types.
    """
    head = json.dumps(rendering, sort_keys=True, ensure_ascii=False).encode()
    digest = hashlib.sha256(b"%d:%s," % (len(head), head))
    digest.update(np.concatenate([prints, splits.astype(np.uint8)[:, None]], axis=1).tobytes())
    return digest.hexdigest()
