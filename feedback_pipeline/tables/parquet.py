"""Arrow tables as Parquet bytes."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def parquet_bytes(table: pa.Table, row_group_rows: int = 65_536, repeating: Sequence[str] | None = None) -> bytes:
    """Return ``table`` as the bytes of one Parquet file; equal tables give equal bytes.

    Args:
        table: what is written.
        row_group_rows: rows of a row group.
        repeating: the columns with few distinct values, which a dictionary makes smaller; None: all are tried.
    """
    sink = io.BytesIO()
    dictionary: Any = True if repeating is None else [name for name in repeating if name in table.column_names]
    pq.write_table(
        table, sink, compression="zstd", row_group_size=row_group_rows, store_schema=True, use_dictionary=dictionary
    )
    return sink.getvalue()
