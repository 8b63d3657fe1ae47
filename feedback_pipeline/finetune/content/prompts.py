"""Prompts from template files: what a row becomes for a trainer. Templates are versioned, and part of the digest.

A template is text with ``$field`` in it (``string.Template``). It is filled for whole columns at once.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.finetune.content.schema_text import UNKNOWN, SchemaText

BUNDLED = Path(__file__).parent / "templates" / "prompts"

_DATABASE_FIELDS = {"dialect", "database_id", "schema"}
FIELDS = {
    "system": _DATABASE_FIELDS,
    "user": _DATABASE_FIELDS | {"question"},
    "prompt": _DATABASE_FIELDS | {"question"},
    "repair": _DATABASE_FIELDS | {"question", "wrong_sql", "difference"},
}
"""The templates there are, and the fields each may use."""

MAX_SCHEMA_CHARS = 6_000


class TemplateError(ValueError):
    """A template is missing or uses a field it cannot have; the text names file and field."""


@dataclass(frozen=True)
class Templates:
    """The prompt templates of a release.

    Attributes:
        version: as ``version.json`` beside them says.
        texts: template by name.
    """

    version: str
    texts: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """SHA-256 of the texts, in hex."""
        return hashlib.sha256(json.dumps(dict(self.texts), sort_keys=True).encode()).hexdigest()


def read_templates(folder: str | Path = BUNDLED) -> Templates:
    """Read ``system.txt``, ``user.txt``, ``prompt.txt``, ``repair.txt`` and ``version.json`` from a folder.

    Raises:
        TemplateError: a file is missing, is no UTF-8, or uses a field that it cannot have.
    """
    texts = {name: _text_of(Path(folder) / f"{name}.txt").rstrip("\n") for name in FIELDS}
    for name, text in texts.items():
        _require_fields(Path(folder) / f"{name}.txt", text, FIELDS[name])
    path = Path(folder) / "version.json"
    try:
        version = str(json.loads(_text_of(path))["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise TemplateError(f'{path} must hold {{"version": "…"}}: {error}') from error
    return Templates(version, texts)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"the prompt template {path} cannot be read: {error}") from error


def _require_fields(path: Path, text: str, allowed: set[str]) -> None:
    template = Template(text)
    if not template.is_valid():
        raise TemplateError(f"{path} has a $ that names no field; write $$ for the sign itself")
    if unknown := sorted(set(template.get_identifiers()) - allowed):
        raise TemplateError(f"{path} uses ${unknown[0]}; it may use ${', $'.join(sorted(allowed))}")


@dataclass(frozen=True)
class DatabaseFacts:
    """What prompts tell of a database."""

    dialect: str
    schema: SchemaText

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of dialect, schema and its limit, in hex: what a prompt about this database depends on."""
        text = json.dumps([self.dialect, self.schema.max_chars, self.schema.listed or {}], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


_STRANGER = DatabaseFacts("SQL", SchemaText(None, len(UNKNOWN)))


@dataclass(frozen=True)
class Prompts:
    """Fills templates for rows of DATASET_ROWS.

    Attributes:
        templates: the texts.
        databases: what is known of each database; one that is not known has no schema and plain SQL as dialect.
    """

    templates: Templates
    databases: Mapping[str, DatabaseFacts] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of all that decides what is filled in, in hex."""
        parts = [self.templates.sha256, {name: facts.sha256 for name, facts in self.databases.items()}]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def about(self, database_ids: Iterable[str]) -> "Prompts":
        """Return what is needed for some databases only."""
        wanted = sorted(set(database_ids) & set(self.databases))
        return Prompts(self.templates, {name: self.databases[name] for name in wanted})

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON types: with it anybody can ask the trained model as it was trained."""
        databases = {
            name: {"dialect": facts.dialect, "max_chars": facts.schema.max_chars, "schema": facts.schema.listed}
            for name, facts in self.databases.items()
        }
        templates = {"version": self.templates.version, "texts": dict(self.templates.texts)}
        return {"templates": templates, "databases": databases}

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Prompts":
        """Return what ``document`` gave."""
        databases = {
            name: DatabaseFacts(facts["dialect"], SchemaText.of_listed(facts["schema"], facts["max_chars"]))
            for name, facts in document["databases"].items()
        }
        return Prompts(Templates(document["templates"]["version"], document["templates"]["texts"]), databases)

    def facts(self, database_id: str) -> DatabaseFacts:
        """Return what prompts tell of a database."""
        return self.databases.get(database_id, _STRANGER)

    def fill(self, name: str, rows: pa.Table) -> pa.Array:
        """Return one template filled for each row.

        Args:
            name: one of FIELDS.
            rows: database_id and natural_query; ``wrong_sql`` and ``difference`` too where the template uses them.
        """
        return self._fillers[name](rows)

    @cached_property
    def _fillers(self) -> dict[str, Callable[[pa.Table], pa.Array]]:
        return {name: _filler(text, self._column) for name, text in self.templates.texts.items()}

    def _column(self, name: str, rows: pa.Table) -> pa.Array:
        if name == "question":
            return rows["natural_query"].combine_chunks()
        if name == "schema":
            return self._schemas(rows)
        if name == "dialect":
            return self._by_database(rows, "dialect")
        return rows[name].combine_chunks()

    def _schemas(self, rows: pa.Table) -> pa.Array:
        """Return the schema text of each row; only those too long for every question are looked at row by row."""
        texts = self._by_database(rows, "schema")
        if not texts.null_count:
            return texts
        pairs = zip(*(rows[name].to_pylist() for name in ("database_id", "natural_query")), texts, strict=True)
        pruned = [
            self.facts(database_id).schema.for_question(question) if not text.is_valid else text.as_py()
            for database_id, question, text in pairs
        ]
        return pa.array(pruned, pa.string())

    def _by_database(self, rows: pa.Table, fact: str) -> pa.Array:
        places = pc.index_in(rows["database_id"].combine_chunks(), value_set=self._facts["database_id"])
        # The last one stands for all that are not known.
        return self._facts[fact].take(pc.fill_null(places, len(self.databases)))

    @cached_property
    def _facts(self) -> dict[str, pa.Array]:
        """What is the same for all questions about a database, and about one that is not known, as columns."""
        facts = [*self.databases.values(), _STRANGER]
        return {
            "database_id": pa.array(self.databases, pa.string()),
            "dialect": pa.array([one.dialect for one in facts], pa.string()),
            "schema": pa.array([one.schema.whole for one in facts], pa.string()),
        }


def _filler(text: str, column: Callable[[str, pa.Table], pa.Array]) -> Callable[[pa.Table], pa.Array]:
    """Return what fills a template: its fixed parts and its fields are joined column by column."""
    parts: list[tuple[str, str | None]] = []
    end = 0
    for match in Template.pattern.finditer(text):
        name = match["named"] or match["braced"]
        parts.append((text[end : match.start()] + ("" if name else "$"), name))
        end = match.end()
    rest = text[end:]

    def fill(rows: pa.Table) -> pa.Array:
        columns: list[pa.Array | str] = [
            one for fixed, name in parts for one in (fixed, *([column(name, rows)] if name else []))
        ]
        if not any(name for _, name in parts):
            return pa.repeat("".join(fixed for fixed, _ in parts) + rest, rows.num_rows)
        return pc.binary_join_element_wise(*columns, rest, "")

    return fill
