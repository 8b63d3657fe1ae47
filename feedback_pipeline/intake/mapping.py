"""Their column names, our field names: explicit mappings first, then well-known aliases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

CORRECTION_FIELDS = (
    "client_key",
    "database_id",
    "natural_query",
    "generated_sql",
    "corrected_sql",
    "rating",
    "comment",
    "user_id",
    "created_at",
)
INTERACTION_FIELDS = (
    "client_key",
    "kind",
    "database_id",
    "natural_query",
    "output",
    "user_id",
    "created_at",
    "feedback",
    "feedback_reason",
    "rated_at",
    "model",
    "trace_id",
    "chunks",
)
ALIASES = {
    "client_key": ("id",),
    "database_id": ("db_id",),
    "natural_query": ("question",),
    "corrected_sql": ("gold_sql", "sql", "query"),
    "generated_sql": ("predicted_sql",),
    "comment": ("human_feedback",),
}
"""Other names under which a field is found where the row has no column of our name; the first there is wins."""


class MappingError(ValueError):
    """A mapping cannot be used; the text says which and what would be possible."""


def parse_mapping(texts: Iterable[str]) -> dict[str, str]:
    """Return {our field: their column} from texts like ``theirs=ours`` or ``a=b,c=d``.

    Raises MappingError for a text of another form, or two columns for one field.
    """
    columns: dict[str, str] = {}
    for pair in (pair for text in texts for pair in text.split(",")):
        theirs, separator, ours = (part.strip() for part in pair.partition("="))
        if not (separator and theirs and ours):
            raise MappingError(f"the mapping {pair!r} is not of the form theirs=ours.")
        if columns.setdefault(ours, theirs) != theirs:
            raise MappingError(f"both {columns[ours]} and {theirs} are mapped to {ours}; choose one.")
    return columns


@dataclass
class ColumnMapping:
    """Renames the columns of rows, and remembers what it did not use.

    ``explicit`` is {our field: their column}. Raises MappingError for a field that is none of ``fields``.
    """

    fields: tuple[str, ...]
    explicit: Mapping[str, str] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: ALIASES)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for ours, theirs in self.explicit.items():
            if ours not in self.fields:
                raise MappingError(f"cannot map {theirs} to {ours}: {_fields_there_are(ours, self.fields)}")

    def apply(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of ``record`` under our names; what it has besides is noted in ``ignored``."""
        columns = {ours: self._column(ours, record) for ours in self.fields}
        used = {theirs for theirs in columns.values() if theirs is not None}
        self._seen.update(used)
        self.ignored.update(name for name in record if name not in used)
        return {ours: record[theirs] for ours, theirs in columns.items() if theirs is not None}

    @property
    def missing(self) -> list[str]:
        """Explicitly mapped columns that no row has had so far."""
        return sorted(set(self.explicit.values()) - self._seen)

    def _column(self, ours: str, record: Mapping[str, Any]) -> str | None:
        if ours in self.explicit:
            return self.explicit[ours] if self.explicit[ours] in record else None
        taken = self.explicit.values()
        names = (ours, *self.aliases.get(ours, ()))
        return next((name for name in names if name in record and name not in taken), None)


def _fields_there_are(ours: str, fields: tuple[str, ...]) -> str:
    close = get_close_matches(ours, fields)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"there is no such field.{hint} Fields are: {', '.join(fields)}."
