"""Removing rows from releases for good: a new version without them, and what is left of those that held them.

A published version never changes but in this one way: its data files go, its manifest stays and says so.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from glob import escape
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog, read_data
from feedback_pipeline.finetune.content import record as records
from feedback_pipeline.finetune.content.kind import kind_of
from feedback_pipeline.finetune.content.record import Record
from feedback_pipeline.finetune.content.rows import MOMENT, row_keys
from feedback_pipeline.finetune.content.selection import DROPPED_ROWS
from feedback_pipeline.finetune.content.splits import split_facts
from feedback_pipeline.finetune.publishing.remaining_rows import ORIGINS, RemainingRows, columns_in, matches
from feedback_pipeline.finetune.publishing.retention import remove_data
from feedback_pipeline.finetune.publishing.row_facts import all_fingerprints, contents_of, moments_of
from feedback_pipeline.finetune.publishing.shard_files import Rendering
from feedback_pipeline.finetune.publishing.staging import sweep
from feedback_pipeline.finetune.publishing.version import DROPPED_FILE, Draft, counted, digest_of, write_version
from feedback_pipeline.tables.files import filesystem, sha256, write_bytes
from feedback_pipeline.tables.parquet import parquet_bytes
from feedback_pipeline.tables.publishing import only_publisher


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
    paths = (fs.unstrip_protocol(str(path)) for path in fs.glob(f"{escape(inner)}/**/*.parquet"))
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
        forgotten = _given_alone(catalog, name, ids)
        if newest and (rows := _rows_with(newest, ids)):
            published = newest = _publish_without(catalog, newest, ids, forgotten)
        for release in catalog.releases(name):
            if not release.revoked:
                _forget_keys(catalog, release, forgotten)
        affected = [r for r in catalog.releases(name) if not r.revoked and _rows_with(r, ids)]
        for release in affected:
            _revoke(catalog, release, reason, newest)
        for release in catalog.releases(name):
            if release.revoked:
                remove_data(release)
            elif _dropped_with(release, ids):
                _forget_dropped(catalog, release, ids)
    return Revocation(name, rows, published.version if published else None, [release.version for release in affected])


def _count(path: str, ids: Set[str]) -> int:
    names = [name for name in columns_in(path) if name in ORIGINS]
    return int(matches(read_data(path, names), ids).sum()) if names else 0


def _rows_with(release: Release, ids: Set[str]) -> int:
    return sum(_count(path, ids) for path in release.data_files)


def _dropped_with(release: Release, ids: Set[str]) -> int:
    return _count(f"{release.path}/{DROPPED_FILE}", ids) if release.names_file(DROPPED_FILE) else 0


def _forget_dropped(catalog: ReleaseCatalog, release: Release, ids: Set[str]) -> None:
    """Take what a user gave out of the list of what was left out; no row of the release changes."""
    table = read_data(f"{release.path}/{DROPPED_FILE}")
    kept = table.filter(pa.array(~matches(table, ids)))
    _replace(catalog, release, DROPPED_FILE, parquet_bytes(kept), dropped=counted(kept))


def _given_alone(catalog: ReleaseCatalog, name: str, ids: Set[str]) -> np.ndarray:
    """Return the keys of rows, in any version that is still there, that rest on ``ids`` and on nothing else."""
    keys = [np.zeros(0, np.uint64)]
    for release in catalog.releases(name):
        for path in release.data_files if not release.revoked else []:
            origins = kind_of(release.manifest).origins
            rows = read_data(path, ["row_id", origins])
            rows = rows.filter(pa.array(matches(rows, ids)))
            alone = [ids >= set(some) for some in rows[origins].to_pylist()]
            keys.append(row_keys(rows["row_id"].filter(pa.array(alone, pa.bool_()))))
    return np.unique(np.concatenate(keys))


def _forget_keys(catalog: ReleaseCatalog, release: Release, forgotten: np.ndarray) -> None:
    """Take rows that have left out of the record of a version; those of rows that are in it go with the version."""
    if not release.names_file(records.FILE):
        return
    record = catalog.record_of(release)
    stay = record.present | ~np.isin(record.keys.row, forgotten)
    if not stay.all():
        _replace(catalog, release, records.FILE, record.select(stay).content())


def _replace(catalog: ReleaseCatalog, release: Release, name: str, content: bytes, **changes: Any) -> None:
    """Replace a file that tells about a version and is no part of its rows.

    The manifest comes first: broken off in between, the file still holds what had to go, so the next call finds it.
    """
    noted = {"bytes": len(content), "sha256": sha256(content)}
    files = [{**file, **noted} if file["path"] == name else file for file in release.manifest["files"]]
    catalog.write_manifest(release, {**release.manifest, "files": files, **changes})
    write_bytes(f"{release.path}/{name}", content)


def _publish_without(catalog: ReleaseCatalog, newest: Release, ids: Set[str], forgotten: np.ndarray) -> Release:
    """Publish the newest version without the rows that rest on ``ids``, and without what rests on ratings alone."""
    rows = RemainingRows(newest, ids)
    kind, record = rows.kind, catalog.record_of(newest)
    moment = [MOMENT] if MOMENT in kind.rows.names else []
    facts = rows.columns([*kind.needs, kind.place, "cluster_id", *moment, *kind.balanced_by])
    contents = contents_of(facts.select, kind)
    rendering = Rendering(kind, catalog.prompts_of(newest).about(contents.places.dictionary.to_pylist()))
    known = record.select(record.places_of(rows.keys))
    prints = all_fingerprints(rows, kind)
    draft = Draft(
        rows=rows,
        record=Record(known.keys, known.splits, known.shards, prints),
        verified_at=moments_of(facts.select, kind, len(rows)),
        contents=contents,
        rendering=rendering,
        thresholds=newest.manifest["thresholds"],
        digest=digest_of(prints, known.splits, rendering),
        dropped=_dropped_of(newest, ids),
        parent=newest,
        parent_record=record,
        facts={
            "splits": split_facts(known.splits, facts["cluster_id"], newest.manifest["thresholds"]),
            "balance": kind.made_of(facts).balance,
        },
        # Rows that others gave as well come back, and must not move from test to train; of the others no trace stays.
        forgotten=forgotten,
    )
    return write_version(catalog, newest.name, draft)[0]


def _dropped_of(release: Release, ids: Set[str]) -> pa.Table:
    if not release.names_file(DROPPED_FILE):
        return DROPPED_ROWS.empty_table()
    table = read_data(f"{release.path}/{DROPPED_FILE}")
    return table.filter(pa.array(~matches(table, ids)))


def _revoke(catalog: ReleaseCatalog, release: Release, reason: str, instead: Release | None) -> None:
    """Say it first, remove the files then: nobody finds files missing without a word."""
    note = {"reason": reason, "replaced_by": instead.version if instead else None}
    catalog.write_manifest(release, {**release.manifest, "revoked": note})
    card = f"# {release.name} v{release.version}: revoked\n\nReason: {reason}. Its data files are gone; take "
    card += f"v{instead.version} or later.\n" if instead else "a later version.\n"
    write_bytes(f"{release.path}/README.md", card.encode())


def _sweep_unpublished(catalog: ReleaseCatalog, name: str) -> None:
    """Remove what killed publishers left: folders without a manifest, and those in which a version was being staged."""
    fs, inner = filesystem(f"{catalog.root}/{name}")
    published = set(catalog.versions(name))
    for version in range(1, catalog.next_version(name) + 1):
        if version not in published:
            sweep(catalog.folder(name, version))
    for path in fs.glob(f"{escape(inner)}/.v*.staging"):
        sweep(fs.unstrip_protocol(str(path)))
