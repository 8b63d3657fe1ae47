"""The rows of a dataset: what a trainer gets of an example, and which split it is in."""

import hashlib
import json
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

DATASET_ROWS = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("sql", pa.string(), nullable=False),
        pa.field("generated_sql", pa.string()),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("feedback_ids", pa.list_(pa.string()), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""One row per distinct example. ``generated_sql`` is a wrong answer once given, null where none is known."""

SPLITS = ("train", "validation", "test")
"""From the one that is trained on to the one most held out."""


def split_of(cluster_id: str, *, validation_percent: int, test_percent: int) -> str:
    """Return the split of a cluster: a hash of its id decides, so it is the same in every version and on every machine.

    Args:
        cluster_id: rows of one cluster always share a split.
        validation_percent: share of clusters held out for validation, 0-50.
        test_percent: share of clusters held out for the test, 0-50.
    """
    bucket = int.from_bytes(hashlib.sha256(cluster_id.encode()).digest()[:8], "big") % 100
    if bucket < test_percent:
        return "test"
    return "validation" if bucket < test_percent + validation_percent else "train"


def split_rows(
    deduped: pa.Table, *, validation_percent: int, test_percent: int, remembered: Mapping[str, str] | None = None
) -> dict[str, pa.Table]:
    """Return DATASET_ROWS per split, ordered by row_id; splits without rows are left out, but never all of them.

    A cluster with rows of an earlier version stays where they were; where clusters have merged, all of it goes to the
    more held-out side, so that no row that was tested is ever trained on. New clusters are placed by split_of.

    Args:
        deduped: schemas.DEDUPED_FEEDBACK (further columns are ignored).
        validation_percent: see split_of.
        test_percent: see split_of.
        remembered: row_id → split in the version before.
    """
    named = deduped.rename_columns(["row_id" if name == "example_id" else name for name in deduped.column_names])
    rows = named.select(DATASET_ROWS.names).cast(DATASET_ROWS).sort_by("row_id")
    known = _remembered_clusters(rows, remembered or {})
    splits = pa.array(
        [
            known.get(cluster) or split_of(cluster, validation_percent=validation_percent, test_percent=test_percent)
            for cluster in rows["cluster_id"].to_pylist()
        ],
        pa.string(),
    )
    placed = rows.append_column("split", splits)
    parts = {name: placed.filter(pc.field("split") == name).select(DATASET_ROWS.names) for name in SPLITS}
    return {name: part for name, part in parts.items() if part.num_rows} or {"train": rows}


def _remembered_clusters(rows: pa.Table, remembered: Mapping[str, str]) -> dict[str, str]:
    clusters: dict[str, str] = {}
    for row_id, cluster in zip(rows["row_id"].to_pylist(), rows["cluster_id"].to_pylist(), strict=True):
        if split := remembered.get(row_id):
            clusters[cluster] = max(split, clusters.get(cluster, split), key=SPLITS.index)
    return clusters


def content_digest(splits: dict[str, pa.Table]) -> str:
    """Return the SHA-256 over all rows and their split, as canonical JSON lines in the order they are written."""
    digest = hashlib.sha256()
    for name in SPLITS:
        for batch in splits[name].to_batches() if name in splits else []:
            for row in batch.to_pylist():
                digest.update(json.dumps([name, row], sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()
