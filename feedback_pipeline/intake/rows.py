"""What readers hand on: one row of an input file, or why it could not be read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_RAW_CHARS = 2_000


class InputFileError(ValueError):
    """An input file as a whole cannot be read; the text names it and the way out."""

    def __init__(self, path: Path, problem: str):
        self.path = path
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True)
class Row:
    """One row. ``number`` counts from 1 and is the line in text files; ``offset`` is how far the file is read.

    Exactly one of ``record`` and ``defect`` is set. ``text`` is the row as it stands in the file, where it has one.
    """

    number: int
    offset: int
    record: dict[str, Any] | None = None
    defect: str | None = None
    text: str | None = None

    @property
    def raw(self) -> str:
        """The row as text for people, cut at 2,000 characters."""
        text = self.text if self.text is not None else json.dumps(self.record, ensure_ascii=False, default=str)
        return text[:MAX_RAW_CHARS]
