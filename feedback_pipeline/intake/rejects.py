"""The rows that did not get in, in a file of their own: what to repair, where, and why."""

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
from feedback_pipeline.tables.files import StorageError


def rejects_path(settings: Settings, path: Path) -> Path:
    """Return where the rejects of the input file ``path`` go: always the same place for the same file."""
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return settings.local_root / "rejects" / f"{path.name}.{digest[:8]}.rejects.jsonl"


@dataclass
class Rejects:
    """Writes the rejects of one input file; begins the file with the first of them."""

    source: Path
    target: Path
    count: int = 0
    _file: TextIO | None = field(default=None, repr=False)

    @property
    def temporary(self) -> Path:
        """Where the rows stand until the import is through."""
        return self.target.with_name(f".{self.target.name}.{os.getpid()}.tmp")

    def add(self, row: Row, field_name: str | None, reason: str) -> None:
        """Write down one row. Raises StorageError."""
        entry = {"file": str(self.source), "row": row.number, "field": field_name, "reason": reason, "record": row.raw}
        with self._writing():
            if self._file is None:
                self._file = self._open()
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.count += 1

    def publish(self) -> None:
        """Put what was written in the place of what stood there before. Raises StorageError."""
        with self._writing():
            if self._file is None:
                self.target.unlink(missing_ok=True)
            else:
                self._file.close()
                self.temporary.replace(self.target)

    def discard(self) -> None:
        """Leave nothing behind of what was not published."""
        if self._file is not None:
            self._file.close()
            self.temporary.unlink(missing_ok=True)

    def _open(self) -> TextIO:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        return self.temporary.open("w", encoding="utf-8", errors="backslashreplace")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"{self.target}: the rejected rows of {self.source} cannot be written ({error.strerror or error}); "
                "see to that, then import again: what is stored stays"
            ) from error


@contextmanager
def rejects_of(source: Path, settings: Settings) -> Iterator[Rejects]:
    """Collect the rejects of ``source``; at the end they replace those of the import before, even by none."""
    rejects = Rejects(source, rejects_path(settings, source))
    try:
        yield rejects
        rejects.publish()
    finally:
        rejects.discard()
