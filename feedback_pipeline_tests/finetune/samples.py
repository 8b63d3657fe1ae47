"""Distinct examples for the tests of releases."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa

from feedback_pipeline.finetune.content.selection import ReleasePolicy
from feedback_pipeline.schemas import DEDUPED_FEEDBACK

POLICY = ReleasePolicy(min_rating=4, validation_percent=10, test_percent=10)


def deduped(rows: Iterable[tuple[int, str]]) -> pa.Table:
    """Return (number, cluster) as a table of schemas.DEDUPED_FEEDBACK."""
    return pa.Table.from_pylist([_row(number, cluster) for number, cluster in rows], DEDUPED_FEEDBACK)


def examples(count: int) -> pa.Table:
    """Return so many examples, each a cluster of its own."""
    return deduped((number, f"cluster {number}") for number in range(count))


def _row(number: int, cluster: str) -> dict[str, object]:
    return {
        "example_id": f"{number:016x}",
        "database_id": "shop",
        "natural_query": f"question {number}",
        "canonical_question": f"question {number}",
        "sql": f"SELECT {number}",
        "canonical_sql": f"SELECT {number}",
        "sql_skeleton": f"SELECT ? FROM {cluster}",
        "generated_sql": None,
        "weight": 1,
        "feedback_ids": [f"f{number}"],
        "source": "import",
        "cluster_id": cluster,
        "contributors": 1,
        "verified_at": datetime(2026, 1, 1, tzinfo=UTC),
        "evidence": "parsed",
        "schema_fingerprint": None,
        "results_differ": None,
        "difference": None,
        "wrong_sql": [],
        "wrong_differences": [],
    }
