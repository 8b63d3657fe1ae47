"""What a person sees of a release in Dagster: its counts, what has changed, what it is made of, and its card.

Rows are quoted as tables that begin with their head: so the erasure of a user finds them in Dagster's history.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from feedback_pipeline.defs.column_lineage import column_lineage, dataset_columns
from feedback_pipeline.defs.metadata import markdown_table
from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, ReleaseCatalog
from feedback_pipeline.finetune.content.kind import TEXT2SQL, kind_of
from feedback_pipeline.finetune.content.rows import SPLITS
from feedback_pipeline.finetune.pictures import figures
from feedback_pipeline.finetune.publishing.release import ReleaseResult
from feedback_pipeline.finetune.reading.diff import KINDS, Diff, RowDifference, compare, differences
from feedback_pipeline.insight.plots.svg import data_uri, svg
from feedback_pipeline.tables.files import read_bytes

_EXAMPLES = 3
"""Rows of each kind that are shown."""


def release_metadata(catalog: ReleaseCatalog, result: ReleaseResult) -> dict[str, Any]:
    """Return the metadata of a release, of the latest one where nothing had to be published."""
    release = result.release
    if release is None:
        return {"dagster/row_count": 0, "published": False}
    kind = kind_of(release.manifest)
    return {
        "dagster/row_count": sum(release.rows.values()),
        "dagster/column_schema": dataset_columns(kind),
        **column_lineage(kind.asset),
        "version": f"v{release.version}",
        "published": result.published,
        "path": dg.MetadataValue.path(release.path),
        "digest": release.digest,
        "reused_bytes": result.reused_bytes,
        "bytes": sum(file["bytes"] for file in release.manifest["files"]),
        **_counts(release),
        **_changes(catalog, release),
        **_pictures(catalog, release.name),
        "card": dg.MetadataValue.md(_card(release)),
    }


def _counts(release: Release) -> dict[str, Any]:
    manifest = release.manifest
    configs: Mapping[str, Any] = manifest.get("configs", {})
    rows = {
        config.name: {split: configs[config.name]["rows"].get(split, 0) for split in SPLITS}
        for config in kind_of(manifest).configs
        if config.name in configs
    }
    return {
        "rows_per_split": dg.MetadataValue.json(release.rows),
        "rows_per_config": dg.MetadataValue.json(rows),
        "rows": dg.MetadataValue.md(_counts_table(rows)),
        "split_proportions": dg.MetadataValue.json(manifest.get("splits", {}).get("proportions", {})),
        "dropped": dg.MetadataValue.json(manifest.get("dropped", {})),
    }


def _counts_table(rows: Mapping[str, Mapping[str, int]]) -> str:
    names = pa.array(list(rows), pa.string())
    splits = {split: pa.array([counts[split] for counts in rows.values()], pa.int64()) for split in SPLITS}
    return markdown_table(pa.table({"config": names, **splits}))


def _changes(catalog: ReleaseCatalog, release: Release) -> dict[str, Any]:
    """Return how many rows differ from the version before, and a few of them."""
    told: dict[str, Any] = {"changes": dg.MetadataValue.json(release.manifest.get("changes", {}))}
    parent = release.manifest.get("parent")
    if parent is None:
        return told
    command = f"feedback-pipeline dataset diff {release.name} v{parent['version']} v{release.version}"
    told["changes_command"] = dg.MetadataValue.md(f"Which rows, and why: `{command}`")
    earlier = catalog.look_up(f"{release.name}@v{parent['version']}")
    if not earlier.revoked:
        told["changed_rows"] = dg.MetadataValue.md(_changed_rows(catalog, earlier, release))
    return told


def _changed_rows(catalog: ReleaseCatalog, before: Release, after: Release) -> str:
    try:
        return _examples(compare(catalog, before, after))
    except DamagedReleaseError as error:
        # The new version is whole; what is wrong with the one before it must not fail the run.
        return f"They cannot be told: {error}"


def _examples(diff: Diff) -> str:
    rows = [row for kind in KINDS for row in differences(diff, kind, _EXAMPLES)]
    columns = {
        "change": [row.kind for row in rows],
        "row_id": [row.row_id for row in rows],
        "split": [row.split for row in rows],
        diff.kind.place: [row.database_id for row in rows],
        **(_texts(rows) if diff.kind is TEXT2SQL else {}),
        "columns": [", ".join(row.columns) for row in rows],
    }
    return markdown_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))


def _texts(rows: Sequence[RowDifference]) -> dict[str, list[str]]:
    """Return the texts of rows: of SQL alone, since an erasure finds those in Dagster's history by their row_id."""
    return {"natural_query": [row.question for row in rows], "sql": [row.sql for row in rows]}


def _pictures(catalog: ReleaseCatalog, name: str) -> dict[str, dg.MetadataValue]:
    drawn = figures(catalog.releases(name))
    return {
        f"plot_{figure.name}": dg.MetadataValue.md(
            f"![{figure.title}]({data_uri(svg(figure))})\n\n{figure.description}"
        )
        for figure in drawn.values()
    }


def _card(release: Release) -> str:
    """Return the dataset card without its head for machines."""
    text = read_bytes(f"{release.path}/README.md").decode()
    _, _, body = text.removeprefix("---\n").partition("\n---\n")
    return body.strip() if text.startswith("---\n") else text.strip()
