"""Digests of rows, databases and whole publications: the same on every machine, whatever order rows come in.

A row's digest only tells whether that example has changed, so it is a quick one; what is made of them is SHA-256.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.example_index.catalog import DatabaseContent

_ROWS_AT_ONCE = 65_536
_THREADS = 2
"""Arrow puts the bytes of one batch together while another is hashed; hashing itself is done one at a time."""
_KEY = "feedback example"
"""Key of the hash, 16 characters; another one changes all digests."""
_DIGITS = 16
_DIGIT_OF = np.zeros(256, np.uint8)
_DIGIT_OF[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), "S2")


def row_digests(content: pa.Table) -> pa.ChunkedArray:
    """Return 16 hex digits per row of ``content``: equal for equal values in all columns.

    Columns may be texts, numbers, and lists and structs of these; vectors do not belong here, for they are not
    bit-stable. The hash is SipHash as pandas has it: some ten times faster than SHA-256 over JSON, row by row.
    """
    ordered = content.select(sorted(content.column_names)).combine_chunks()
    batches = [batch.columns for batch in ordered.to_batches(max_chunksize=_ROWS_AT_ONCE) if len(batch)]
    with ThreadPoolExecutor(_THREADS) as pool:
        return pa.chunked_array([_hex(hashes) for hashes in pool.map(_hashed, batches)], pa.string())


def database_contents(
    database_ids: pa.ChunkedArray, row_digests: pa.ChunkedArray, model_fingerprint: str
) -> dict[str, DatabaseContent]:
    """Return what each database holds, sorted by database."""
    encoded = _whole(database_ids).dictionary_encode()
    codes, digests = encoded.indices.to_numpy(), _as_numbers(fixed_digests(row_digests))
    # Numbers sort three times as fast as texts, and small codes in linear time.
    order = np.argsort(digests)
    order = order[np.argsort(codes[order].astype(np.min_scalar_type(len(encoded.dictionary))), kind="stable")]
    ends = np.cumsum(np.bincount(codes, minlength=len(encoded.dictionary)))
    parts = np.split(digests[order], ends)[:-1]
    found = {
        name: DatabaseContent(
            len(part), hashlib.sha256(model_fingerprint.encode() + part.astype(">u8").tobytes()).hexdigest()
        )
        for name, part in zip(encoded.dictionary.to_pylist(), parts, strict=True)
    }
    return dict(sorted(found.items()))


def publication_digest(databases: Mapping[str, DatabaseContent], model_fingerprint: str, *further: str) -> str:
    """Return the SHA-256 over all databases, the model, and what else is published with them."""
    listed = [[name, content.digest] for name, content in sorted(databases.items())]
    return hashlib.sha256(json.dumps([model_fingerprint, *further, listed]).encode()).hexdigest()


def fixed_digests(digests: pa.ChunkedArray) -> np.ndarray:
    """Return digests of rows as bytes of shape (rows,), without a Python object for each."""
    fixed = _whole(digests).cast(pa.binary()).cast(pa.binary(_DIGITS))
    if not len(fixed):
        return np.zeros(0, f"S{_DIGITS}")
    return np.frombuffer(fixed.buffers()[1], f"S{_DIGITS}")[fixed.offset : fixed.offset + len(fixed)]


def _as_numbers(digests: np.ndarray) -> np.ndarray:
    """Return the numbers that hex digits of fixed length stand for: big-endian uint64 of shape (rows,)."""
    digits = _DIGIT_OF[digests.view(np.uint8).reshape(-1, _DIGITS)]
    return (digits[:, ::2] << 4 | digits[:, 1::2]).view(">u8").ravel().astype(np.uint64)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _hashed(columns: list[pa.Array]) -> np.ndarray:
    from pandas.util import hash_array

    rows = _encoded(columns).to_numpy(zero_copy_only=False)
    return hash_array(rows, hash_key=_KEY, categorize=False)  # pyright: ignore[reportCallIssue] - it is lazily bound


def _hex(hashes: np.ndarray) -> pa.Array:
    digits = _HEX[hashes.astype(">u8").view(np.uint8)]
    offsets = np.arange(0, _DIGITS * len(hashes) + 1, _DIGITS, dtype=np.int32)
    return pa.StringArray.from_buffers(len(hashes), pa.py_buffer(offsets), pa.py_buffer(digits.tobytes()))


def _encoded(columns: list[pa.Array]) -> pa.Array:
    """Return every row as bytes that no other row has: the lengths of its values, -1 for null, and then all values."""
    contents = [_as_bytes(column) for column in columns]
    lengths = np.empty((len(columns[0]), len(columns)), "<i4")
    for number, (column, content) in enumerate(zip(columns, contents, strict=True)):
        lengths[:, number] = _lengths(column, content)
    head = pa.Array.from_buffers(pa.binary(lengths.shape[1] * 4), len(lengths), [None, pa.py_buffer(lengths)])
    return pc.binary_join_element_wise(head.cast(pa.binary()), *contents, b"")


def _lengths(column: pa.Array, content: pa.Array) -> np.ndarray:
    """Return the length of each value, in elements for lists and in bytes for all else; -1 for null."""
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    lengths = pc.list_value_length(column) if is_list else pc.binary_length(content)
    return pc.if_else(pc.is_valid(column), lengths, -1).to_numpy(zero_copy_only=False)


def _as_bytes(column: pa.Array) -> pa.Array:
    """Return the values of one column as binary without nulls."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists_as_bytes(column)
    if pa.types.is_struct(kind):
        # ``flatten`` makes the fields of a null null.
        return _encoded(column.flatten())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.fill_null(column.cast(pa.binary()), b"")
    return _numbers_as_bytes(column)


def _lists_as_bytes(column: pa.Array) -> pa.Array:
    elements = column.flatten()
    encoded = _encoded([elements]) if len(elements) else pa.array([], pa.binary())
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    ends = np.frombuffer(encoded.buffers()[1] or b"\0\0\0\0", np.int32)[encoded.offset :]
    offsets = ends[np.concatenate([[0], np.cumsum(lengths)])].astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(column), [None, pa.py_buffer(offsets), encoded.buffers()[2]])


def _numbers_as_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise TypeError(f"a column of type {column.type} has no digest")
    numbers = np.ascontiguousarray(pc.fill_null(column, 0).to_numpy(zero_copy_only=False))
    width = pa.binary(numbers.itemsize)
    return pa.Array.from_buffers(width, len(numbers), [None, pa.py_buffer(numbers)]).cast(pa.binary())
