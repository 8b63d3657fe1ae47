"""Publishing a version: files first, then the manifest, then ``latest``. Equal content publishes nothing.

Until its manifest is there a version does not exist for readers; what a crash left behind is swept away by the next
publisher. On a local disk publishers wait for each other, and the whole folder appears by one rename; on an object
store there must be one publisher at a time, which the pool ``releases`` sees to.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline import __version__
from feedback_pipeline.finetune.card import dataset_card
from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.rows import DATASET_ROWS, content_digest, split_rows
from feedback_pipeline.tables.files import StorageError, filesystem, sha256, write_bytes, write_json
from feedback_pipeline.tables.parquet import parquet_bytes
from feedback_pipeline.tables.publishing import only_publisher

_ROWS_PER_FILE = 500_000


@dataclass(frozen=True)
class ReleasePolicy:
    """The thresholds a release was made under; they stand in its manifest."""

    min_rating: int
    validation_percent: int
    test_percent: int


@dataclass(frozen=True)
class ReleaseResult:
    """The latest release, and whether this call published it. ``release`` is None before there are any rows."""

    release: Release | None
    published: bool


def publish_release(catalog: ReleaseCatalog, name: str, deduped: pa.Table, policy: ReleasePolicy) -> ReleaseResult:
    """Release ``deduped`` (schemas.DEDUPED_FEEDBACK) as the next version of dataset ``name``, if anything changed.

    Raises:
        StorageError: the storage cannot be written; the previous version stays the latest and whole.
        DamagedReleaseError: the manifest of the newest version cannot be read.
    """
    with only_publisher(f"{catalog.root}/{name}"):
        return _publish(catalog, name, deduped, policy)


def _publish(catalog: ReleaseCatalog, name: str, deduped: pa.Table, policy: ReleasePolicy) -> ReleaseResult:
    newest = catalog.newest(name)
    if newest is None and not deduped.num_rows:
        return ReleaseResult(None, published=False)
    splits = split_rows(
        deduped,
        validation_percent=policy.validation_percent,
        test_percent=policy.test_percent,
        remembered=catalog.splits_of(newest) if newest else None,
    )
    digest = content_digest(splits)
    if newest is not None and newest.digest == digest and newest.manifest["thresholds"] == asdict(policy):
        # A crash may have come between this version and its pointer.
        catalog.point_latest(name, newest.version)
        return ReleaseResult(newest, published=False)
    return ReleaseResult(publish_splits(catalog, name, splits, digest, asdict(policy), newest), published=True)


def publish_splits(
    catalog: ReleaseCatalog,
    name: str,
    splits: dict[str, pa.Table],
    digest: str,
    thresholds: dict[str, Any],
    parent: Release | None,
    remembered: Mapping[str, str] | None = None,
) -> Release:
    """Write rows that have their splits as the next version, and let ``latest`` point at it.

    The caller is the only publisher. ``digest`` is the ``content_digest`` of ``splits``. ``remembered`` are splits (by
    row_id) of rows that are not in this version and may come back; those that the parent remembers are handed on.
    """
    version = catalog.next_version(name)
    manifest = _manifest(name, version, splits, digest, thresholds, parent)
    present = {row_id for table in splits.values() for row_id in table["row_id"].to_pylist()}
    known = {**(parent.manifest.get("remembered_splits", {}) if parent else {}), **(remembered or {})}
    if kept := {row_id: split for row_id, split in known.items() if row_id not in present}:
        manifest["remembered_splits"] = kept
    _write_version(catalog.folder(name, version), splits, manifest)
    catalog.point_latest(name, version)
    return Release(name, version, catalog.folder(name, version), manifest)


def _manifest(
    name: str,
    version: int,
    splits: dict[str, pa.Table],
    digest: str,
    thresholds: dict[str, Any],
    parent: Release | None,
) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "digest": digest,
        "parent": {"version": parent.version, "digest": parent.digest} if parent else None,
        "rows": {split: table.num_rows for split, table in splits.items()},
        "schema": {field.name: str(field.type) for field in DATASET_ROWS},
        "thresholds": thresholds,
        "code_version": __version__,
        "files": [],
    }


def _write_version(folder: str, splits: dict[str, pa.Table], manifest: dict[str, Any]) -> None:
    fs, _ = filesystem(folder)
    target = _staging(folder) if isinstance(fs, LocalFileSystem) else folder
    for left_over in {target, folder}:
        sweep(left_over)
    files = {f"data/{name}": content for split, table in splits.items() for name, content in _parquet(split, table)}
    files["README.md"] = dataset_card(manifest).encode()
    for name, content in sorted(files.items()):
        write_bytes(f"{target}/{name}", content)
        manifest["files"].append({"path": name, "bytes": len(content), "sha256": sha256(content)})
    write_json(f"{target}/manifest.json", manifest)
    if target != folder:
        _appear(Path(target), Path(folder))


def _parquet(split: str, table: pa.Table) -> list[tuple[str, bytes]]:
    parts = range(0, max(table.num_rows, 1), _ROWS_PER_FILE)
    return [
        (f"{split}-{number:05d}-of-{len(parts):05d}.parquet", parquet_bytes(table.slice(start, _ROWS_PER_FILE)))
        for number, start in enumerate(parts)
    ]


def _staging(folder: str) -> str:
    path = Path(filesystem(folder)[1])
    return str(path.with_name(f".{path.name}.staging"))


def sweep(folder: str) -> None:
    """Remove what lies where a new version will stand: it has no manifest, or it would be a version."""
    fs, inner = filesystem(folder)
    try:
        if fs.exists(inner):
            fs.rm(inner, recursive=True)
    except OSError as error:
        raise StorageError(f"cannot remove {folder}: {error.strerror or error}; make it writable") from error


def _appear(staged: Path, folder: Path) -> None:
    try:
        staged.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot publish {folder}: {error.strerror or error}; run again") from error
