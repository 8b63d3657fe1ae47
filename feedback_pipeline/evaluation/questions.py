"""Evaluation files: questions with their SQL, and which of them are indexed and which are asked.

A file is read with the readers of the import, so its formats and ``--map theirs=ours`` are the same. Who is asked is
never by chance: the file says so, or a hash of the question does.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.evaluation.templates import template_of
from feedback_pipeline.intake.mapping import ColumnMapping
from feedback_pipeline.intake.readers import read_rows

FIELDS = ("natural_query", "sql", "database_id", "template_id", "split", "paraphrase", "variables")
ALIASES = {
    "natural_query": ("question",),
    "sql": ("gold_sql", "corrected_sql", "query"),
    "database_id": ("db_id",),
    "paraphrase": ("synonym_query",),
}
_ASKED_BY_HASH = 5
"""One question in so many is asked where the file does not say which."""


class EvaluationDataError(ValueError):
    """An evaluation file cannot be used; the text names it, the field and the way out."""


class Split(StrEnum):
    """How it is told which questions are indexed and which are asked."""

    AUTO = "auto"
    COLUMN = "column"
    HASH = "hash"
    FIRST = "first"


@dataclass(frozen=True)
class Question:
    """One question of an evaluation file.

    Attributes:
        template_id: equal for questions of one database whose SQL differs in values only.
        variables: values the question names, by the name of their place (``{"state_name": "ohio"}``).
    """

    database_id: str
    natural_query: str
    sql: str
    template_id: str
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class EvaluationSet:
    """What one file asks.

    Attributes:
        name: of the file.
        indexed: become examples.
        asked: are asked.
        protocol: how they were told apart, for people.
        unusable: rows without question or SQL, and those that could not be read.
    """

    name: str
    indexed: tuple[Question, ...]
    asked: tuple[Question, ...]
    protocol: str
    unusable: int = 0

    @property
    def answerable(self) -> "EvaluationSet":
        """The same without the questions whose template no indexed question of their database has."""
        there = {(one.database_id, one.template_id) for one in self.indexed}
        return replace(self, asked=tuple(one for one in self.asked if (one.database_id, one.template_id) in there))

    def limited(self, limit: int | None) -> "EvaluationSet":
        """Return the same with at most ``limit`` questions asked, chosen by hash and in the order of the file."""
        if limit is None or len(self.asked) <= limit:
            return self
        numbers = sorted(range(len(self.asked)), key=lambda n: (_hash(self.asked[n]), n))[:limit]
        return replace(self, asked=tuple(self.asked[n] for n in sorted(numbers)))


@dataclass(frozen=True)
class _Read:
    """A usable row: the question, and what tells whether it is asked."""

    question: Question
    split: str | None
    paraphrase: str | None


def read_questions(
    path: Path,
    *,
    dialect: str,
    mapping: Mapping[str, str] | None = None,
    database_id: str | None = None,
    split: Split = Split.AUTO,
) -> EvaluationSet:
    """Read an evaluation file.

    Args:
        path: .jsonl, .ndjson, .json, .csv (also .gz) or .parquet. Fields: natural_query, sql; where there are:
            database_id, template_id (else the SQL skeleton), split (``train`` is indexed, ``test`` is asked),
            paraphrase (is asked while natural_query is indexed), variables (an object of name and value).
        dialect: of the SQL, for skeletons.
        mapping: {our field: their column}.
        database_id: of rows that name none; by default the name of the file.
        split: ``auto`` takes paraphrases where there are, else the column, else a hash that asks one in five;
            ``first`` indexes the first question of each template and asks the others.

    Raises:
        InputFileError: the file cannot be read.
        MappingError: the mapping names no field of ours.
        EvaluationDataError: no row can be used, or nobody would be indexed or asked.

    """
    columns = ColumnMapping(FIELDS, mapping or {}, aliases=ALIASES)
    default_database = database_id or path.name.split(".")[0]
    read: list[_Read] = []
    unusable = 0
    for row in read_rows(path):
        found = _usable(columns.apply(row.record), default_database, dialect) if row.record is not None else None
        if found is None:
            unusable += 1
        else:
            read.append(found)
    if not read:
        raise EvaluationDataError(_nothing_usable(path, columns, unusable))
    indexed, asked, protocol = _SPLITS[_chosen(split, read)](path, read)
    if not indexed or not asked:
        raise EvaluationDataError(
            f"{path}: {len(indexed)} questions would be indexed and {len(asked)} asked ({protocol}); "
            "choose another --split or map another column to split"
        )
    return EvaluationSet(path.name.split(".")[0], tuple(indexed), tuple(asked), protocol, unusable)


def _usable(record: Mapping[str, Any], default_database: str, dialect: str) -> _Read | None:
    question, sql = _text(record.get("natural_query")), _text(record.get("sql"))
    if question is None or sql is None:
        return None
    template = _text(record.get("template_id")) or template_of(sql, dialect)
    database = _text(record.get("database_id")) or default_database
    read = Question(database, question, sql, template, _variables(record.get("variables")))
    return _Read(read, _text(record.get("split")), _text(record.get("paraphrase")))


def _text(value: Any) -> str | None:
    text = str(value).strip() if isinstance(value, str | int) else ""
    return text or None


def _variables(value: Any) -> dict[str, str]:
    """Return names and values; a CSV cell may hold them as JSON, Parquet as pairs."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    try:
        pairs = dict(value or {})
    except (TypeError, ValueError):
        return {}
    return {str(name): str(text) for name, text in pairs.items() if text not in (None, "")}


def _nothing_usable(path: Path, columns: ColumnMapping, rows: int) -> str:
    there = ", ".join(sorted(columns.ignored)) or "none"
    return (
        f"{path}: none of {rows} rows has natural_query and sql; name the columns with --map THEIRS=OURS "
        f"(columns not used: {there})"
    )


def _chosen(split: Split, read: Sequence[_Read]) -> Split:
    if split is not Split.AUTO:
        return split
    return Split.COLUMN if any(one.paraphrase or one.split for one in read) else Split.HASH


_Parts = tuple[list[Question], list[Question], str]


def _by_column(path: Path, read: Sequence[_Read]) -> _Parts:
    if any(one.paraphrase for one in read):
        asked = [replace(one.question, natural_query=one.paraphrase) for one in read if one.paraphrase]
        return [one.question for one in read], asked, "paraphrases asked, all questions indexed"
    names = {one.split for one in read}
    if not {"train", "test"} <= names:
        found = ", ".join(sorted(filter(None, names))[:_ASKED_BY_HASH]) or "nothing"
        raise EvaluationDataError(
            f"{path}: split must name both train and test rows, but holds {found}; map another column to it, "
            "or let a hash split the questions: --split hash"
        )
    parts = {name: [one.question for one in read if one.split == name] for name in ("train", "test")}
    return parts["train"], parts["test"], "rows of split train indexed, test asked"


def _by_hash(_path: Path, read: Sequence[_Read]) -> _Parts:
    questions = [one.question for one in read]
    is_asked = [_hash(question) % _ASKED_BY_HASH == 0 for question in questions]
    asked = [question for question, yes in zip(questions, is_asked, strict=True) if yes]
    indexed = [question for question, yes in zip(questions, is_asked, strict=True) if not yes]
    return indexed, asked, f"one question in {_ASKED_BY_HASH} asked by hash, the others indexed"


def _by_first(_path: Path, read: Sequence[_Read]) -> _Parts:
    questions = [one.question for one in read]
    first = set(_firsts(questions))
    indexed = [question for number, question in enumerate(questions) if number in first]
    asked = [question for number, question in enumerate(questions) if number not in first]
    return indexed, asked, "first question of each template indexed, the others asked"


def _firsts(questions: Iterable[Question]) -> Iterator[int]:
    seen: set[tuple[str, str]] = set()
    for number, question in enumerate(questions):
        key = question.database_id, question.template_id
        if key not in seen:
            seen.add(key)
            yield number


def _hash(question: Question) -> int:
    """Return a number that the words of a question decide, so that one question is never on both sides."""
    text = f"{question.database_id}\n{canonical_question(question.natural_query)}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])


_SPLITS = {Split.COLUMN: _by_column, Split.HASH: _by_hash, Split.FIRST: _by_first}
