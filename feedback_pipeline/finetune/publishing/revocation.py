"""Removing rows from releases for good: a new version without them, and what is left of those that held them.

A published version never changes but in this one way: its data files go, its manifest stays and says so.
"""

from collections.abc import Set
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog, read_data
from feedback_pipeline.finetune.content.balance import made_of
from feedback_pipeline.finetune.content.examples import KeptRows, TableRows
from feedback_pipeline.finetune.content.record import Record
from feedback_pipeline.finetune.content.rows import (
    DATASET_ROWS,
    as_dataset_rows,
    content_digest,
    fingerprints,
    lists_filled,
    moments,
    row_keys,
)
from feedback_pipeline.finetune.content.selection import DROPPED_ROWS
from feedback_pipeline.finetune.content.splits import split_facts
from feedback_pipeline.finetune.publishing.staging import sweep
from feedback_pipeline.finetune.publishing.version import DROPPED_FILE, Draft, rendering_of, write_version
from feedback_pipeline.tables.files import filesystem, sha256, write_bytes
from feedback_pipeline.tables.parquet import parquet_bytes
from feedback_pipeline.tables.publishing import only_publisher

_ORIGINS = ("feedback_ids", "rated_in")
"""The columns that name where a row comes from."""


@dataclass(frozen=True)
class Revocation:
    """What was done to one dataset: the version without the rows, where one was made, and the versions revoked."""

    name: str
    rows: int = 0
    published: int | None = None
    revoked: list[int] = field(default_factory=list)


def versions_with(catalog: ReleaseCatalog, name: str, ids: Set[str]) -> list[int]:
    """Return the versions of a dataset whose rows rest on any of ``ids``, or that list one as left out."""
    listed = [r for r in catalog.releases(name) if not r.revoked]
    return [r.version for r in listed if _rows_with(r, ids) or _dropped_with(r, ids)]


def leftover_rows(catalog: ReleaseCatalog, ids: Set[str]) -> int:
    """Return how many rows of any Parquet file below the releases, listed or not, rest on any of ``ids``."""
    fs, inner = filesystem(catalog.root)
    paths = (fs.unstrip_protocol(str(path)) for path in fs.glob(f"{inner}/**/*.parquet"))
    return sum(_count(path, ids) for path in paths)


def revoke_rows(catalog: ReleaseCatalog, name: str, ids: Set[str], reason: str) -> Revocation:
    """Publish dataset ``name`` without the rows that rest on ``ids``, then revoke every version that has any.

    ``ids`` are those of feedback, and of interactions as text. The other rows keep their splits, and so do
    removed rows that other users vouch for too and that may come back.
    Calling again finishes what a crash has left.

    Raises:
        StorageError: the storage cannot be written.
        DamagedReleaseError: a manifest cannot be read.
    """
    with only_publisher(f"{catalog.root}/{name}"):
        _sweep_unpublished(catalog, name)
        newest, published, rows = catalog.newest(name), None, 0
        if newest and (rows := _rows_with(newest, ids)):
            published = newest = _publish_without(catalog, newest, ids)
        affected = [r for r in catalog.releases(name) if not r.revoked and _rows_with(r, ids)]
        for release in affected:
            _revoke(catalog, release, reason, newest)
        for release in catalog.releases(name):
            if release.revoked:
                _remove_data(release)
            elif _dropped_with(release, ids):
                _forget_dropped(catalog, release, ids)
    return Revocation(name, rows, published.version if published else None, [release.version for release in affected])


def _matches(table: pa.Table, ids: Set[str]) -> np.ndarray:
    """Return which rows rest on any of ``ids``: booleans of shape (rows,)."""
    columns = [table[name].to_pylist() for name in _ORIGINS if name in table.column_names]
    return np.array([any(not ids.isdisjoint(some or ()) for some in row) for row in zip(*columns, strict=True)], bool)


def _count(path: str, ids: Set[str]) -> int:
    fs, inner = filesystem(path)
    with fs.open(inner, "rb") as file:
        names = [name for name in _ORIGINS if name in pq.read_schema(file).names]
    return int(_matches(read_data(path, names), ids).sum()) if names else 0


def _rows_with(release: Release, ids: Set[str]) -> int:
    return sum(_count(path, ids) for path in release.data_files)


def _dropped_with(release: Release, ids: Set[str]) -> int:
    return _count(f"{release.path}/{DROPPED_FILE}", ids) if release.names_file(DROPPED_FILE) else 0


def _forget_dropped(catalog: ReleaseCatalog, release: Release, ids: Set[str]) -> None:
    """Take what a user gave out of the list of what was left out; no row of the release changes."""
    path = f"{release.path}/{DROPPED_FILE}"
    table = read_data(path)
    content = parquet_bytes(table.filter(pa.array(~_matches(table, ids))))
    files = [
        {**file, "bytes": len(content), "sha256": sha256(content)} if file["path"] == DROPPED_FILE else file
        for file in release.manifest["files"]
    ]
    write_bytes(path, content)
    catalog.write_manifest(release, {**release.manifest, "files": files})


def _publish_without(catalog: ReleaseCatalog, newest: Release, ids: Set[str]) -> Release:
    rows = _all_rows(newest)
    matches = _matches(rows, ids)
    kept, removed = rows.filter(pa.array(~matches)), rows.filter(pa.array(matches))
    record = catalog.record_of(newest)
    prompts = catalog.prompts_of(newest).about(kept["database_id"].unique().to_pylist())
    known = record.select(record.places_of(row_keys(kept["row_id"])))
    prints = fingerprints(kept)
    # Rows that others gave as well come back, and must not move from test to train; of all others no trace stays.
    alone = [ids >= set(some) for some in removed["feedback_ids"].to_pylist()]
    draft = Draft(
        rows=KeptRows(TableRows(kept), np.ones(kept.num_rows, bool)),
        record=Record(known.keys, known.splits, known.shards, prints),
        verified_at=moments(kept["verified_at"]),
        different=lists_filled(kept["wrong_sql"]),
        databases=kept["database_id"].combine_chunks().dictionary_encode(),
        prompts=prompts,
        thresholds=newest.manifest["thresholds"],
        digest=content_digest(prints, known.splits, rendering_of(prompts)),
        dropped=_dropped_of(newest, ids),
        parent=newest,
        parent_record=record,
        facts={
            "splits": split_facts(known.splits, kept["cluster_id"], newest.manifest["thresholds"]),
            "balance": made_of(kept).balance,
        },
        forgotten=row_keys(removed["row_id"].filter(pa.array(alone, pa.bool_()))),
    )
    return write_version(catalog, newest.name, draft)[0]


def _all_rows(release: Release) -> pa.Table:
    """Return the rows of all splits, ordered by row_id; columns that a release before format 2 lacks are filled."""
    tables = [as_dataset_rows(read_data(path)) for path in release.data_files]
    return pa.concat_tables(tables or [DATASET_ROWS.empty_table()]).sort_by("row_id").combine_chunks()


def _dropped_of(release: Release, ids: Set[str]) -> pa.Table:
    if not release.names_file(DROPPED_FILE):
        return DROPPED_ROWS.empty_table()
    table = read_data(f"{release.path}/{DROPPED_FILE}")
    return table.filter(pa.array(~_matches(table, ids)))


def _revoke(catalog: ReleaseCatalog, release: Release, reason: str, instead: Release | None) -> None:
    """Say it first, remove the files then: nobody finds files missing without a word."""
    note = {"reason": reason, "replaced_by": instead.version if instead else None}
    catalog.write_manifest(release, {**release.manifest, "revoked": note})
    card = f"# {release.name} v{release.version}: revoked\n\nReason: {reason}. Its data files are gone; take "
    card += f"v{instead.version} or later.\n" if instead else "a later version.\n"
    write_bytes(f"{release.path}/README.md", card.encode())


def _remove_data(release: Release) -> None:
    """Remove all files but the manifest and the card, which say why."""
    fs, inner = filesystem(release.path)
    for path in fs.ls(inner, detail=False):
        if str(path).rsplit("/", 1)[-1] not in ("manifest.json", "README.md"):
            fs.rm(str(path), recursive=True)


def _sweep_unpublished(catalog: ReleaseCatalog, name: str) -> None:
    """Remove what killed publishers left: folders without a manifest, and those in which a version was being staged."""
    fs, inner = filesystem(f"{catalog.root}/{name}")
    published = set(catalog.versions(name))
    for version in range(1, catalog.next_version(name) + 1):
        if version not in published:
            sweep(catalog.folder(name, version))
    for path in fs.glob(f"{inner}/.v*.staging"):
        sweep(fs.unstrip_protocol(str(path)))
