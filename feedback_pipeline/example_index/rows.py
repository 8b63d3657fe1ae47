"""The rows of the index: what an agent needs of an example, and a digest that tells when it changed."""

import pyarrow as pa

from feedback_pipeline.example_index.digests import row_digests
from feedback_pipeline.schemas import VALUES

CONTENT = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("masked_query", pa.string(), nullable=False),
        pa.field("sql", pa.string(), nullable=False),
        pa.field("sql_skeleton", pa.string(), nullable=False),
        pa.field("values", VALUES, nullable=False),
        pa.field("generated_sql", pa.string()),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("feedback_ids", pa.list_(pa.string()), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
VECTORS = ("vector", "masked_vector")


def index_rows(embedded: pa.Table) -> pa.Table:
    """Return schemas.embedded_feedback as index rows: content, ``row_digest`` and vectors, in the order they came."""
    content = embedded.select(CONTENT.names).cast(CONTENT)
    rows = content.append_column("row_digest", row_digests(content))
    for name in VECTORS:
        rows = rows.append_column(name, embedded[name])
    return rows
