"""Samples of the values of databases, remembered between runs: a small JSON file per database."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from feedback_pipeline.tables.files import filesystem, read_json, write_json

_ROOT = "cache/value_samples"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ValueSample:
    """Values of the text columns of a database.

    Attributes:
        columns: ``table.column`` in lower case → its values; all in order.
        skipped: ``table.column`` → why nothing of it is here.
        first_rows_only: columns of tables too large to be read in full: their values are those of the first rows.
        problem: why the database could not be looked at; what is here is of an earlier look then.
    """

    columns: dict[str, list[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    first_rows_only: list[str] = field(default_factory=list)
    problem: str | None = None

    @property
    def values(self) -> list[tuple[str, str]]:
        """All (value, ``table.column``), ordered by column, then by value."""
        return [(value, column) for column, values in self.columns.items() for value in values]


@dataclass(frozen=True)
class StoredSample:
    """A sample with what tells whether it is still good.

    Attributes:
        source: key of all that decides what may be found; of another source a sample says nothing.
        epoch: how often the database was to be checked again by then.
        tried_at: when the database was last looked at, ISO, UTC.
    """

    database_id: str
    source: str
    epoch: int
    tried_at: str
    sample: ValueSample

    @property
    def moment(self) -> datetime:
        """``tried_at`` as a time."""
        return datetime.fromisoformat(self.tried_at)


class SampleFiles:
    """The remembered samples below one storage root."""

    def __init__(self, root: str):
        self._folder = f"{root.rstrip('/')}/{_ROOT}"

    def read(self, database_id: str) -> StoredSample | None:
        """Return what is remembered of a database, or None; a file that cannot be read counts as none."""
        path = self._path(database_id)
        try:
            document = read_json(path)
            return None if document is None else _read(document)
        except (ValueError, TypeError, KeyError) as error:
            logger.warning("%s cannot be read and is made anew (%s)", path, error)
            return None

    def write(self, sample: StoredSample) -> None:
        """Remember a sample in place of the former one. Raises StorageError."""
        write_json(self._path(sample.database_id), asdict(sample))

    def keep_only(self, database_ids: Iterable[str]) -> int:
        """Remove the samples of all other databases, and return how many there were."""
        fs, inner = filesystem(self._folder)
        kept = {_name(database_id) for database_id in database_ids}
        others = [str(path) for path in fs.glob(f"{inner}/*.json") if str(path).rsplit("/", 1)[-1] not in kept]
        for path in others:
            fs.rm_file(path)
        return len(others)

    def _path(self, database_id: str) -> str:
        return f"{self._folder}/{_name(database_id)}"


def _read(document: dict[str, Any]) -> StoredSample:
    return StoredSample(**{**document, "sample": ValueSample(**document["sample"])})


def _name(database_id: str) -> str:
    return f"{hashlib.sha256(database_id.encode()).hexdigest()[:32]}.json"
