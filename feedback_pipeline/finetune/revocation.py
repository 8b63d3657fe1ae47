"""Removing rows from releases for good: a new version without them, and what is left of those that held them.

A published version never changes but in this one way: its data files go, its manifest stays and says so.
"""

from collections.abc import Set
from dataclasses import dataclass, field

import pyarrow as pa

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog, read_data, split_of_file
from feedback_pipeline.finetune.release import publish_splits, sweep
from feedback_pipeline.finetune.rows import DATASET_ROWS, content_digest
from feedback_pipeline.tables.files import filesystem, write_bytes
from feedback_pipeline.tables.publishing import only_publisher


@dataclass(frozen=True)
class Revocation:
    """What was done to one dataset: the version without the rows, where one was made, and the versions revoked."""

    name: str
    rows: int = 0
    published: int | None = None
    revoked: list[int] = field(default_factory=list)


def versions_with(catalog: ReleaseCatalog, name: str, feedback_ids: Set[str]) -> list[int]:
    """Return the versions of a dataset whose rows rest on any of ``feedback_ids``."""
    return [r.version for r in catalog.releases(name) if not r.revoked and _rows_with(r, feedback_ids)]


def leftover_rows(catalog: ReleaseCatalog, feedback_ids: Set[str]) -> int:
    """Return how many rows of any Parquet file below the releases, listed or not, rest on ``feedback_ids``."""
    fs, inner = filesystem(catalog.root)
    paths = (fs.unstrip_protocol(str(path)) for path in fs.glob(f"{inner}/**/*.parquet"))
    return sum(_matches(read_data(path, ["feedback_ids"]), feedback_ids).count(True) for path in paths)


def revoke_rows(catalog: ReleaseCatalog, name: str, feedback_ids: Set[str], reason: str) -> Revocation:
    """Publish dataset ``name`` without the rows that rest on ``feedback_ids``, then revoke every version that has any.

    The other rows keep their splits, and so do removed rows that other users vouch for too and that may come back.
    Calling again finishes what a crash has left.

    Raises:
        StorageError: the storage cannot be written.
        DamagedReleaseError: a manifest cannot be read.
    """
    with only_publisher(f"{catalog.root}/{name}"):
        _sweep_unpublished(catalog, name)
        newest, published, rows = catalog.newest(name), None, 0
        if newest and (rows := _rows_with(newest, feedback_ids)):
            published = newest = _publish_without(catalog, newest, feedback_ids)
        affected = [r for r in catalog.releases(name) if not r.revoked and _rows_with(r, feedback_ids)]
        for release in affected:
            _revoke(catalog, release, reason, newest)
        for release in catalog.releases(name):
            if release.revoked:
                _remove_data(release)
    return Revocation(name, rows, published.version if published else None, [release.version for release in affected])


def _matches(table: pa.Table, feedback_ids: Set[str]) -> list[bool]:
    return [not feedback_ids.isdisjoint(ids) for ids in table["feedback_ids"].to_pylist()]


def _rows_with(release: Release, feedback_ids: Set[str]) -> int:
    return sum(_matches(read_data(path, ["feedback_ids"]), feedback_ids).count(True) for path in release.data_files)


def _publish_without(catalog: ReleaseCatalog, newest: Release, feedback_ids: Set[str]) -> Release:
    parts: dict[str, list[pa.Table]] = {}
    remembered: dict[str, str] = {}
    for path in newest.data_files:
        split, table = split_of_file(path), read_data(path).select(DATASET_ROWS.names).cast(DATASET_ROWS)
        matches = _matches(table, feedback_ids)
        parts.setdefault(split, []).append(table.filter(pa.array([not match for match in matches], pa.bool_())))
        removed = table.filter(pa.array(matches, pa.bool_())).select(["row_id", "feedback_ids"]).to_pylist()
        # Only the ids of rows that others gave as well: they come back, and must not move from test to train.
        remembered |= {row["row_id"]: split for row in removed if not feedback_ids >= set(row["feedback_ids"])}
    splits = {split: pa.concat_tables(tables) for split, tables in parts.items()}
    filled = {split: table for split, table in splits.items() if table.num_rows} or {
        "train": DATASET_ROWS.empty_table()
    }
    digest, thresholds = content_digest(filled), newest.manifest["thresholds"]
    return publish_splits(catalog, newest.name, filled, digest, thresholds, newest, remembered)


def _revoke(catalog: ReleaseCatalog, release: Release, reason: str, instead: Release | None) -> None:
    """Say it first, remove the files then: nobody finds files missing without a word."""
    note = {"reason": reason, "replaced_by": instead.version if instead else None}
    catalog.write_manifest(release, {**release.manifest, "revoked": note})
    card = f"# {release.name} v{release.version}: revoked\n\nReason: {reason}. Its data files are gone; take "
    card += f"v{instead.version} or later.\n" if instead else "a later version.\n"
    write_bytes(f"{release.path}/README.md", card.encode())


def _remove_data(release: Release) -> None:
    fs, inner = filesystem(f"{release.path}/data")
    if fs.exists(inner):
        fs.rm(inner, recursive=True)


def _sweep_unpublished(catalog: ReleaseCatalog, name: str) -> None:
    """Remove what killed publishers left: folders without a manifest, and those in which a version was being staged."""
    fs, inner = filesystem(f"{catalog.root}/{name}")
    published = set(catalog.versions(name))
    for version in range(1, catalog.next_version(name) + 1):
        if version not in published:
            sweep(catalog.folder(name, version))
    for path in fs.glob(f"{inner}/.v*.staging"):
        sweep(fs.unstrip_protocol(str(path)))
