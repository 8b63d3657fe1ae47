"""What an import did, in numbers."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class FileReport:
    """What became of the rows of one file. ``read = stored + already_known + rejected + opted_out``."""

    path: Path
    read: int = 0
    stored: int = 0
    already_known: int = 0
    rejected: int = 0
    opted_out: int = 0
    rejects_path: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "file": str(self.path),
            "read": self.read,
            "stored": self.stored,
            "already_known": self.already_known,
            "rejected": self.rejected,
            "opted_out": self.opted_out,
            "rejects_path": None if self.rejects_path is None else str(self.rejects_path),
        }


@dataclass
class ImportReport:
    """What an import did.

    ``already_known`` rows change nothing; ``differing`` of them have another content than what is stored under
    their key. ``rejected_fields`` counts the rejected rows by their first wrong field; ``row`` is the row as a whole.
    ``verified`` and ``not_verified`` (failed check → rows) stay empty unless the import verifies.
    ``missing_columns`` were mapped explicitly and found in no row.
    """

    kind: str
    source: str
    files: list[FileReport] = field(default_factory=list)
    differing: int = 0
    rejected_fields: Counter[str] = field(default_factory=Counter)
    verified: int = 0
    not_verified: Counter[str] = field(default_factory=Counter)
    unregistered_databases: Counter[str] = field(default_factory=Counter)
    ignored_fields: list[str] = field(default_factory=list)
    missing_columns: list[str] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Rows read from all files."""
        return sum(file.read for file in self.files)

    @property
    def stored(self) -> int:
        """Rows that are new in the store."""
        return sum(file.stored for file in self.files)

    @property
    def already_known(self) -> int:
        """Rows that the store had before, or that stood in the files twice."""
        return sum(file.already_known for file in self.files)

    @property
    def rejected(self) -> int:
        """Rows that did not get in."""
        return sum(file.rejected for file in self.files)

    @property
    def opted_out(self) -> int:
        """Rows of users who have opted out: neither stored nor listed among the rejects."""
        return sum(file.opted_out for file in self.files)

    @property
    def rejects_paths(self) -> list[Path]:
        """The files that list them."""
        return [file.rejects_path for file in self.files if file.rejects_path is not None]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON, in an order that does not depend on the order of the rows."""
        return {
            "kind": self.kind,
            "source": self.source,
            "read": self.read,
            "stored": self.stored,
            "already_known": self.already_known,
            "differing": self.differing,
            "rejected": self.rejected,
            "opted_out": self.opted_out,
            "rejected_fields": dict(sorted(self.rejected_fields.items())),
            "verified": self.verified,
            "not_verified": dict(sorted(self.not_verified.items())),
            "unregistered_databases": dict(sorted(self.unregistered_databases.items())),
            "ignored_fields": self.ignored_fields,
            "missing_columns": self.missing_columns,
            "rejects_paths": [str(path) for path in self.rejects_paths],
            "files": [file.as_dict() for file in self.files],
        }
