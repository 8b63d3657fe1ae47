"""Input files and rows for the tests of this folder."""

import gzip
import json
from pathlib import Path
from typing import Any


def row(key: str | None = "k1", **changes: Any) -> dict[str, Any]:
    """Return a good correction of which ``changes`` replace fields; a field set to ``...`` is left out."""
    fields: dict[str, Any] = {
        "id": key,
        "db_id": "geo",
        "natural_query": f"how many rivers are in {key}",
        "generated_sql": "SELECT 1",
        "corrected_sql": "SELECT count(*) FROM river",
        "created_at": "2025-03-01T12:30:00Z",
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not ...}


def write_lines(path: Path, *lines: Any) -> Path:
    """Write JSON Lines; bytes and texts go in as they are. A ``.gz`` is compressed."""
    content = b"".join(_line(line) + b"\n" for line in lines)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _line(line: Any) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line)).encode()
