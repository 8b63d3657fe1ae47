"""Masks the questions of verified examples: the values of each database are learned from all of its examples first.

The one part of masking that parses SQL; the query path does not import it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from feedback_pipeline.curation.sql import Columns
from feedback_pipeline.curation.sql_values import SqlValue, sql_values
from feedback_pipeline.masking.dictionary import ValueDictionary
from feedback_pipeline.masking.learning import learn
from feedback_pipeline.masking.masker import QuestionMasker
from feedback_pipeline.schemas import VALUES

MASKING_VERSION = 2
"""Raise it when questions are masked in another way: those stored are masked again then."""

Samples = Mapping[str, Sequence[tuple[str, str]]]
"""Database → (text, ``table.column``) found in it."""
SchemaOf = Callable[[str], tuple[str, Columns | None]]
"""Database → its SQL dialect and ``{table: {column: type}}`` where that is known."""
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class MaskingResult:
    """Rows with ``masked_query`` and ``values``; the key each database was masked under; how many rows are new."""

    table: pa.Table
    keys: dict[str, str]
    masked_now: int


@dataclass(frozen=True)
class Earlier:
    """What was masked before: the rows, and the key of each database then."""

    table: pa.Table
    keys: Mapping[str, str]


def mask_examples(
    rows: pa.Table,
    schema_of: SchemaOf,
    samples: Samples,
    earlier: Earlier | None = None,
    progress: Report = lambda done, total: None,
) -> MaskingResult:
    """Add ``masked_query`` and ``values`` to rows of schemas.EXAMPLES.

    A database of which nothing has changed is not masked again, and no SQL is parsed twice.

    Args:
        rows: distinct examples.
        schema_of: tells the dialect and the columns of a database.
        samples: values found in databases themselves.
        earlier: the result of the last time.
        progress: told (rows done, rows in all).

    """
    literals = _literals(rows, schema_of, earlier)
    known = _known_masks(earlier)
    masked, keys, done, now = [""] * rows.num_rows, {}, 0, 0
    for database_id, numbers in _by_database(rows["database_id"].to_pylist()).items():
        part = rows.take(numbers)
        sample = samples.get(database_id, ())
        keys[database_id] = masking_key(part, sample)
        questions = part["natural_query"].to_pylist()
        if earlier and earlier.keys.get(database_id) == keys[database_id]:
            texts = [known[example_id] for example_id in part["example_id"].to_pylist()]
        else:
            masker = QuestionMasker(learn_values(questions, [literals[number] for number in numbers], sample))
            texts = [masker.mask(question).text for question in questions]
            now += len(texts)
        for number, text in zip(numbers, texts, strict=True):
            masked[number] = text
        progress(done := done + len(numbers), rows.num_rows)
    table = rows.append_column("masked_query", pa.array(masked, pa.string()))
    return MaskingResult(table.append_column("values", as_column(literals)), keys, now)


def learn_values(
    questions: Sequence[str], literals: Sequence[Sequence[SqlValue]], sample: Sequence[tuple[str, str]]
) -> ValueDictionary:
    """Learn the values of one database from its examples and a sample of its values."""
    # Taking something out of the index learns anew, and shall not wait for this import unless it has to.
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return learn(zip(questions, literals, strict=True), sample, ENGLISH_STOP_WORDS)


def masking_key(rows: pa.Table, sample: Sequence[tuple[str, str]]) -> str:
    """Return what decides how the questions of one database are masked, as SHA-256."""
    columns = (rows[name].to_pylist() for name in ("example_id", "natural_query", "sql"))
    document = [MASKING_VERSION, sorted(zip(*columns, strict=True)), sorted(sample)]
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()


def as_column(literals: Sequence[Sequence[SqlValue]]) -> pa.Array:
    """Return the literals of each row as a column of type schemas.VALUES."""
    listed = [
        [{"text": v.text, "kind": v.kind, "column": v.column, "start": v.start, "end": v.end} for v in row]
        for row in literals
    ]
    return pa.array(listed, VALUES)


def literals_of(column: pa.ChunkedArray) -> list[tuple[SqlValue, ...]]:
    """Return a column of type schemas.VALUES as literals."""
    return [
        tuple(SqlValue(one["start"], one["end"], one["text"], one["kind"], one["column"]) for one in row or ())
        for row in column.to_pylist()
    ]


def _literals(rows: pa.Table, schema_of: SchemaOf, earlier: Earlier | None) -> list[tuple[SqlValue, ...]]:
    known = {}
    if earlier is not None:
        parsed = literals_of(earlier.table["values"])
        known = dict(zip(_sql_keys(earlier.table), parsed, strict=True))
    schemas: dict[str, tuple[str, Columns | None]] = {}
    found = []
    for key in _sql_keys(rows):
        if key not in known:
            dialect, columns = schemas.setdefault(key[0], schema_of(key[0]))
            known[key] = sql_values(key[1], dialect, columns)
        found.append(known[key])
    return found


def _sql_keys(rows: pa.Table) -> Iterator[tuple[str, str]]:
    return zip(rows["database_id"].to_pylist(), rows["sql"].to_pylist(), strict=True)


def _known_masks(earlier: Earlier | None) -> dict[str, str]:
    if earlier is None:
        return {}
    columns = (earlier.table[name].to_pylist() for name in ("example_id", "masked_query"))
    return dict(zip(*columns, strict=True))


def _by_database(database_ids: Sequence[str]) -> dict[str, list[int]]:
    numbers = defaultdict(list)
    for number, database_id in enumerate(database_ids):
        numbers[database_id].append(number)
    return dict(numbers)
