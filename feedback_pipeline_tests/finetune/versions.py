"""Versions of a dataset, published one after the other from examples that a test names."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.content.selection import ReleasePolicy
from feedback_pipeline.finetune.publishing.release import Surroundings, publish_release
from feedback_pipeline.schemas import DEDUPED_FEEDBACK
from feedback_pipeline_tests.finetune.samples import POLICY

FORMAT_1_COLUMNS = (
    *("row_id", "database_id", "natural_query", "sql", "generated_sql", "weight"),
    *("feedback_ids", "cluster_id", "source"),
)


def example(number: int, **changes: Any) -> dict[str, Any]:
    """Return one row of schemas.DEDUPED_FEEDBACK, a cluster of its own."""
    return {
        "example_id": f"{number:016x}",
        "database_id": "shop",
        "natural_query": f"Question {number}?",
        "canonical_question": f"question {number}",
        "sql": f"SELECT {number}",
        "canonical_sql": f"SELECT {number}",
        "sql_skeleton": f"SELECT ? FROM t{number}",
        "weight": 1.0,
        "feedback_ids": [f"f{number}"],
        "source": "import",
        "cluster_id": f"cluster {number}",
        "contributors": 1,
        "verified_at": datetime(2026, 1, 1, tzinfo=UTC),
        "evidence": "parsed",
        "wrong_sql": [],
        "wrong_differences": [],
        **changes,
    }


def publish(
    root: Path | str,
    examples: list[dict[str, Any]],
    *,
    name: str = "text2sql",
    policy: ReleasePolicy = POLICY,
    surroundings: Surroundings | None = None,
) -> Release:
    """Publish a version with these examples."""
    table = pa.Table.from_pylist(examples, DEDUPED_FEEDBACK)
    result = publish_release(ReleaseCatalog(str(root)), name, table, policy, surroundings)
    assert result.published
    assert result.release is not None
    return result.release


def publish_format_1(root: Path, rows: dict[str, list[dict[str, Any]]]) -> Release:
    """Write version 1 of text2sql as it was before there were configs and records; ``rows`` by split."""
    folder = root / "releases" / "text2sql" / "v1"
    files = []
    schema = pa.schema([(name, _type(name)) for name in FORMAT_1_COLUMNS])
    for split, some in rows.items():
        path = folder / f"data/{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        told = [{**row, "row_id": row["example_id"]} for row in some]
        pq.write_table(pa.Table.from_pylist(told, schema), path)
        files.append({"path": f"data/{path.name}", "bytes": path.stat().st_size, "sha256": ""})
    manifest = {
        "name": "text2sql",
        "version": 1,
        "digest": "1" * 64,
        "parent": None,
        "rows": {split: len(some) for split, some in rows.items()},
        "schema": {field.name: str(field.type) for field in schema},
        "thresholds": {"min_rating": 4},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ReleaseCatalog(str(root)).point_latest("text2sql", 1)
    return Release("text2sql", 1, str(folder), manifest)


def _type(name: str) -> pa.DataType:
    if name == "weight":
        return pa.int64()
    return pa.list_(pa.string()) if name == "feedback_ids" else pa.string()
