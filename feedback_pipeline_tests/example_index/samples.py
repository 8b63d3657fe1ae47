"""Embedded examples for the tests of index and retrieval, with vectors that say what they are of."""

import hashlib

import pyarrow as pa

from feedback_pipeline.curation.encoder import Encoder
from feedback_pipeline.schemas import MASKED_FEEDBACK, embedded_feedback

Example = tuple[str, str] | tuple[str, str, str]


def example_id(database_id: str, question: str) -> str:
    """Return the id that ``embedded`` gives an example: it does not change with the SQL."""
    return hashlib.sha256(f"{database_id} {question}".encode()).hexdigest()[:16]


def embedded(encoder: Encoder, *examples: Example) -> pa.Table:
    """Return (database, question) or (database, question, SQL) as a table of schemas.embedded_feedback."""
    rows = [
        {
            "example_id": example_id(database_id, question),
            "database_id": database_id,
            "natural_query": question,
            "canonical_question": question.lower(),
            "sql": sql[0] if sql else f"SELECT '{question}'",
            "canonical_sql": "SELECT 1",
            "sql_skeleton": sql[0] if sql else f"SELECT ? AS c{example_id(database_id, question)}",
            "generated_sql": None,
            "weight": 1,
            "feedback_ids": [f"f-{question}"],
            "source": "user_feedback",
            "cluster_id": "c",
            "masked_query": question,
            "values": [],
        }
        for database_id, question, *sql in examples
    ]
    table = pa.Table.from_pylist(rows, MASKED_FEEDBACK)
    flat = pa.array(encoder.encode([example[1] for example in examples]).ravel(), pa.float32())
    vectors = pa.FixedSizeListArray.from_arrays(flat, encoder.dimension)
    for name in ("vector", "masked_vector"):
        table = table.append_column(name, vectors)
    return table.cast(embedded_feedback(encoder.dimension))


def questions(count: int, database_id: str = "shop") -> list[Example]:
    """Return so many examples of one database."""
    return [(database_id, f"question {number}") for number in range(count)]
