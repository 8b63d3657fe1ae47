"""The rows of the index: what an agent needs of an example, and a digest that tells when it changed."""

import hashlib
import json

import pyarrow as pa

CONTENT = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("sql", pa.string(), nullable=False),
        pa.field("generated_sql", pa.string()),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("feedback_ids", pa.list_(pa.string()), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)


def index_rows(embedded: pa.Table) -> pa.Table:
    """Return schemas.embedded_feedback as index rows: content, ``row_digest`` and ``vector``, sorted by database."""
    content = embedded.select(CONTENT.names).cast(CONTENT)
    rows = content.append_column("row_digest", pa.array([_digest(row) for row in content.to_pylist()], pa.string()))
    rows = rows.append_column("vector", embedded["vector"])
    return rows.sort_by([("database_id", "ascending"), ("example_id", "ascending")])


def table_digest(rows: pa.Table, model_fingerprint: str) -> str:
    """Return the SHA-256 over all examples and the model, in an order that does not depend on the input's."""
    pairs = sorted(zip(rows["example_id"].to_pylist(), rows["row_digest"].to_pylist(), strict=True))
    return hashlib.sha256(json.dumps([model_fingerprint, pairs]).encode()).hexdigest()


def _digest(row: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]
