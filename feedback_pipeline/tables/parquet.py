"""Arrow tables as Parquet bytes."""

import io

import pyarrow as pa
import pyarrow.parquet as pq


def parquet_bytes(table: pa.Table, row_group_rows: int = 65_536) -> bytes:
    """Return ``table`` as the bytes of one Parquet file; equal tables give equal bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=row_group_rows, store_schema=True)
    return sink.getvalue()
