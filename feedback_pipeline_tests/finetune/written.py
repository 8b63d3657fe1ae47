"""Versions of datasets written by hand, file by file, as the publisher leaves them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.tables.files import sha256

CONFIGS = ("default", "sft")


def write_release(root: Path, version: int, *, name: str = "text2sql", **changes: Any) -> Release:
    """Write a version with two configs of one split each, and point ``latest`` at it."""
    folder = root / "releases" / name / f"v{version}"
    table = pa.table({"row_id": [f"r{version}", "r0"], "feedback_ids": [[f"f{version}"], ["f0"]]})
    files = [_parquet(folder, f"{config}/train-00000-of-00001.parquet", table) for config in CONFIGS]
    files += [_parquet(folder, path, table) for path in ("rows.parquet", "dropped.parquet")]
    files += [_file(folder, "README.md", f"---\npretty_name: {name}\n---\n# {name} v{version}\n".encode())]
    manifest = {
        "format": 2,
        "name": name,
        "version": version,
        "digest": sha256(f"{name} {version}".encode()),
        "parent": {"version": version - 1, "digest": sha256(f"{name} {version - 1}".encode())} if version > 1 else None,
        "code_version": "0.1.0",
        "rows": {"train": 2},
        "configs": {config: {"rows": {"train": 2}, "schema": {"row_id": "string"}} for config in CONFIGS},
        "thresholds": {"min_rating": 4},
        "changes": {"added": 1, "removed": 0, "changed": 0, "moved": 0},
        "files": files,
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ReleaseCatalog(str(root)).point_latest(name, version)
    return Release(name, version, str(folder), manifest)


def revoke(release: Release, *, reason: str = "erasure", replaced_by: int | None, **note: str) -> None:
    """Say in the manifest that a version is revoked, and remove its data."""
    folder = Path(release.path)
    revoked = {"reason": reason, "replaced_by": replaced_by, **note}
    (folder / "manifest.json").write_text(json.dumps({**release.manifest, "revoked": revoked}))
    for path in folder.rglob("*.parquet"):
        path.unlink()


def left_in(release: Release) -> list[str]:
    """Return the files that a version still has."""
    return sorted(str(p.relative_to(release.path)) for p in Path(release.path).rglob("*") if p.is_file())


def _parquet(folder: Path, path: str, table: pa.Table) -> dict[str, Any]:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return _file(folder, path, sink.getvalue().to_pybytes()) | {"rows": table.num_rows}


def _file(folder: Path, path: str, content: bytes) -> dict[str, Any]:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return {"path": path, "bytes": len(content), "sha256": sha256(content)}
