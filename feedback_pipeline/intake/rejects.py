"""The rows that did not get in, in a file of their own: what to repair, where, and why."""

import csv
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from feedback_pipeline.intake import values
from feedback_pipeline.intake.rows import MAX_RAW_CHARS, Row
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.files import StorageError, write_bytes

_FOLDER = "rejects"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r'[^\s",;{}\[\]]+')


def rejects_path(settings: Settings, path: Path) -> Path:
    """Return where the rejects of the input file ``path`` go: always the same place for the same file."""
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return settings.local_root / _FOLDER / f"{path.name}.{digest[:8]}.rejects.jsonl"


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

    def add(self, row: Row, field_name: str | None, reason: str, user_hash: str | None = None) -> None:
        """Write down one row, and whose it is: the row may be cut before its user id. Raises StorageError."""
        entry = {"file": str(self.source), "row": row.number, "field": field_name, "reason": reason, "record": row.raw}
        if user_hash is not None:
            entry["user_hash"] = user_hash
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


def count_rejects(settings: Settings, is_user: Callable[[str], bool], user_hash: str) -> int:
    """Return how many rejected rows are of a user: noted under the hash, or with any value in them that ``is_user``."""
    return sum(sum(_names(line, is_user, user_hash) for line in _lines(path)) for path in _files(settings))


def count_unattributable(settings: Settings) -> int:
    """Return how many rejected rows are cut off and were read by no one who could have told whose they are."""
    entries = (_entry(line) for path in _files(settings) for line in _lines(path))
    return sum("user_hash" not in entry and len(str(entry["record"])) >= MAX_RAW_CHARS for entry in entries)


def remove_rejects(settings: Settings, is_user: Callable[[str], bool], user_hash: str) -> int:
    """Remove the rejected rows that name a user, and files that have none left; return how many there were.

    Raises:
        StorageError: a file cannot be written.
    """
    return sum(_remove_from(path, is_user, user_hash) for path in _files(settings))


def _files(settings: Settings) -> list[Path]:
    """Return the rejects files, and what imports that were killed have left of theirs."""
    folder = settings.local_root / _FOLDER
    return sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []


def _lines(path: Path) -> list[str]:
    # Not splitlines: texts may hold other line ends, such as U+2028.
    return path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")


def _remove_from(path: Path, is_user: Callable[[str], bool], user_hash: str) -> int:
    lines = _lines(path)
    kept = [line for line in lines if not _names(line, is_user, user_hash)]
    if len(kept) == len(lines):
        return 0
    if kept:
        write_bytes(str(path), "".join(f"{line}\n" for line in kept).encode())
    else:
        path.unlink()
    return len(lines) - len(kept)


def _names(line: str, is_user: Callable[[str], bool], user_hash: str) -> bool:
    entry = _entry(line)
    return entry.get("user_hash") == user_hash or any(is_user(value) for value in _values(str(entry["record"])))


def _entry(line: str) -> dict[str, Any]:
    """Return an entry; a line that is none, such as one that a killed import has left, counts as a record."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {"record": line}
    return entry if isinstance(entry, dict) and "record" in entry else {"record": line}


def _values(record: str) -> set[str]:
    """Return whatever in a row might be a user id, as it would be read from the row.

    A row is JSON or a line of CSV, and perhaps cut off. The columns are not known any more, so all values count.
    """
    try:
        found = list(_scalars(json.loads(record)))
    except ValueError:
        quoted = [match.group(1) for match in _QUOTED.finditer(record)]
        cells = [cell for delimiter in ",;\t" for cell in next(csv.reader([record], delimiter=delimiter), [])]
        found = [*quoted, *cells, *_BARE.findall(record)]
    return {key for value in found if (key := _as_key(value))}


def _scalars(document: Any) -> Iterator[Any]:
    if isinstance(document, dict | list):
        for item in document.values() if isinstance(document, dict) else document:
            yield from _scalars(item)
    else:
        yield document


def _as_key(value: Any) -> str | None:
    try:
        return values.key(value)
    except ValueError:
        return None
