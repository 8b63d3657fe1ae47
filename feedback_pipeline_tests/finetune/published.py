"""Releases written file by file as a publisher leaves them, small and fully known."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CONFIGS = ("default", "sft", "preference")
SPLIT_ROWS = {"train": 30, "validation": 6, "test": 4}

MESSAGES = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))


def publish(root: Path, version: int = 1, *, name: str = "text2sql", marks: tuple[str, ...] = ()) -> Path:
    """Write a version of format 2 and point ``latest`` at it; ``marks`` go into the validation split, to change it."""
    folder = root / "releases" / name / f"v{version}"
    files: list[dict[str, Any]] = []
    configs: dict[str, Any] = {}
    for config in CONFIGS:
        rows = {split: [_row(config, split, number) for number in range(count)] for split, count in SPLIT_ROWS.items()}
        rows["validation"] += [_row(config, mark, 0) for mark in marks]
        if config == "preference":
            del rows["test"]
        parts = {f"{config}/{split}-00000-of-00001.parquet": (split, some) for split, some in rows.items()}
        if config == "default":
            parts.pop("default/train-00000-of-00001.parquet")
            parts["default/train-00000-of-00002.parquet"] = ("train", rows["train"][:20])
            parts["default/train-00001-of-00002.parquet"] = ("train", rows["train"][20:])
        for path, (split, some) in parts.items():
            _write_table(folder / path, pa.Table.from_pylist(some, _SCHEMAS[config]))
            files.append({"path": path, "rows": len(some), "config": config, "split": split, "made_from": "x"})
        schema = {field.name: str(field.type) for field in _SCHEMAS[config]}
        configs[config] = {"rows": {split: len(some) for split, some in rows.items()}, "schema": schema}
    _write_table(folder / "rows.parquet", pa.table({"row_id": [f"{version}"]}))
    (folder / "README.md").write_text(_card(configs) + f"\n# text2sql v{version}\n")
    files += [{"path": "rows.parquet"}, {"path": "README.md"}]
    manifest = {
        "format": 2,
        "name": name,
        "version": version,
        "digest": hashlib.sha256(json.dumps([name, marks]).encode()).hexdigest(),
        "parent": None,
        "rows": configs["default"]["rows"],
        "configs": configs,
        "thresholds": {"min_rating": 4},
        "files": [file | _facts(folder / file["path"]) for file in files],
    }
    write_manifest(folder, manifest)
    (folder.parent / "latest.json").write_text(json.dumps({"version": version}))
    return folder


def publish_format_1(root: Path) -> Path:
    """Write a version as it was before there were configs."""
    folder = root / "releases" / "text2sql" / "v1"
    rows = {split: [_row("default", split, number) for number in range(count)] for split, count in SPLIT_ROWS.items()}
    for split, some in rows.items():
        path = folder / f"data/{split}-00000-of-00001.parquet"
        _write_table(path, pa.Table.from_pylist(some, _SCHEMAS["default"]))
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_dir: data\n---\n")
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    manifest = {
        "name": "text2sql",
        "version": 1,
        "digest": "1" * 64,
        "parent": None,
        "rows": SPLIT_ROWS,
        "schema": {"row_id": "string"},
        "thresholds": {"min_rating": 4},
        "files": [{"path": path, **_facts(folder / path)} for path in paths],
    }
    write_manifest(folder, manifest)
    (folder.parent / "latest.json").write_text('{"version": 1}')
    return folder


def publish_random(root: Path, sizes: dict[str, int]) -> Path:
    """Write a version whose files are of these sizes, to transfer; they hold nothing."""
    folder = root / "releases" / "blob" / "v1"
    for path, size in {**sizes, "README.md": 10}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(hashlib.shake_128(path.encode()).digest(size))
    manifest = {
        "format": 2,
        "name": "blob",
        "version": 1,
        "digest": "b" * 64,
        "rows": {},
        "configs": {},
        "files": [{"path": path, **_facts(folder / path)} for path in [*sizes, "README.md"]],
    }
    write_manifest(folder, manifest)
    (folder.parent / "latest.json").write_text('{"version": 1}')
    return folder


def revoke(folder: Path, reason: str, replaced_by: int | None) -> None:
    """Take away what a version holds, and say so in its manifest."""
    manifest = read_manifest(folder)
    for file in manifest["files"]:
        (folder / file["path"]).unlink()
    write_manifest(folder, manifest | {"revoked": {"reason": reason, "replaced_by": replaced_by}})


def read_manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text)


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but the lock, by path."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {path: file.read_bytes() for path, file in files.items() if path != ".pulling.lock"}


def _facts(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _write_table(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


_PROVENANCE = [pa.field("row_id", pa.string()), pa.field("weight", pa.float64())]
_SCHEMAS = {
    "default": pa.schema([pa.field("natural_query", pa.string()), pa.field("sql", pa.string()), *_PROVENANCE]),
    "sft": pa.schema([pa.field("messages", MESSAGES), *_PROVENANCE]),
    "preference": pa.schema([*(pa.field(name, MESSAGES) for name in ("prompt", "chosen", "rejected")), *_PROVENANCE]),
}


def _row(config: str, split: str, number: int) -> dict[str, Any]:
    system, question = _message("system", "CREATE TABLE t"), _message("user", f"{split}: Ünï\u2028 {number}?")
    answer, wrong = _message("assistant", f"SELECT {number}"), _message("assistant", f"SELECT -{number}, 'wrong'")
    columns = {
        "default": {"natural_query": question["content"], "sql": answer["content"]},
        "sft": {"messages": [system, question, answer]},
        "preference": {"prompt": [system, question], "chosen": [answer], "rejected": [wrong]},
    }
    return {**columns[config], "row_id": f"{split}-{number}", "weight": 1.0}


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _card(configs: dict[str, Any]) -> str:
    lines = ["---", "configs:"]
    for name, config in configs.items():
        lines += [f"- config_name: {name}", "  data_files:"]
        lines += [f"  - split: {split}\n    path: {name}/{split}-*.parquet" for split in config["rows"]]
    return "\n".join([*lines, "---", ""])
