"""The rows that did not get in, in a file beside the data: what to repair, where, and why."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from feedback_pipeline.intake.rows import Row
from feedback_pipeline.settings import Settings


def rejects_path(settings: Settings, path: Path) -> Path:
    """Return where the rejects of the input file ``path`` go: always the same place for the same file."""
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return settings.local_root / "rejects" / f"{path.name}.{digest[:8]}.rejects.jsonl"


@dataclass
class Rejects:
    """Writes rejects of one input file; creates the file with the first of them."""

    source: Path
    target: Path
    count: int = 0
    _file: TextIO | None = field(default=None, repr=False)

    @property
    def temporary(self) -> Path:
        """Where the rows stand until the import is through."""
        return self.target.with_name(f".{self.target.name}.{os.getpid()}.tmp")

    def add(self, row: Row, field_name: str | None, reason: str) -> None:
        """Write down one row."""
        if self._file is None:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.temporary.open("w", encoding="utf-8", errors="backslashreplace")
        entry = {"file": str(self.source), "row": row.number, "field": field_name, "reason": reason, "record": row.raw}
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.count += 1

    def close(self) -> None:
        """Finish writing."""
        if self._file is not None:
            self._file.close()


@contextmanager
def rejects_of(source: Path, settings: Settings) -> Iterator[Rejects]:
    """Collect the rejects of ``source``; at the end they replace those of the import before, even by none."""
    rejects = Rejects(source, rejects_path(settings, source))
    try:
        yield rejects
        rejects.close()
        if rejects.count:
            rejects.temporary.replace(rejects.target)
        else:
            rejects.target.unlink(missing_ok=True)
    finally:
        rejects.close()
        rejects.temporary.unlink(missing_ok=True)
