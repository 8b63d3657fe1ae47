"""The distinct texts of a database's columns, read where SQL of users is run: read-only, each query within limits.

Of a column with more distinct texts than wanted the most frequent are taken, equally frequent ones in the order of
their characters. Where counting a whole table takes too long, its first rows are counted instead, as the database gives
them; and where that takes too long as well, the table is left out.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from feedback_pipeline.execution.contracts import Limits, Target
from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.engines import why_not_executable
from feedback_pipeline.execution.pool import SessionPool
from feedback_pipeline.execution.results import Result
from feedback_pipeline.execution.sessions import UnusableError
from feedback_pipeline.execution.urls import engine_name, parsed

_MAX_BYTES = 16 * 1024 * 1024
_SLOW = "timed_out"


@dataclass(frozen=True)
class TextColumn:
    """A column to read, as the schema spells it."""

    table: str
    name: str


@dataclass(frozen=True)
class Reading:
    """How much is read.

    Attributes:
        texts_per_column: distinct texts of one column.
        chars: longer texts are cut to one sign more than this, which shows that they are longer.
        first_rows: so many rows are counted where the whole table takes too long.
        database_s: no column is begun so many seconds after the first.
    """

    texts_per_column: int
    chars: int = 60
    first_rows: int = 100_000
    database_s: float = 60.0


@dataclass(frozen=True)
class ColumnTexts:
    """What a column holds; with a ``problem`` nothing was read. ``first_rows_only`` where the table is too large."""

    column: TextColumn
    texts: tuple[str, ...] = ()
    first_rows_only: bool = False
    problem: str | None = None


def texts_of(
    target: Target, columns: Iterable[TextColumn], limits: Limits, reading: Reading, watch: Watch
) -> Iterator[ColumnTexts]:
    """Yield the distinct texts of ``columns``, one column after the other. Raises UnreachableError."""
    problem = why_not_executable(target.database_id, target)
    if problem:
        raise UnusableError(problem)
    own = replace(limits, max_rows=reading.texts_per_column, max_bytes=_MAX_BYTES)
    with closing(SessionPool({target.database_id: target}, own, watch)) as pool:
        reader = _Reader(lambda sql: pool.run(target.database_id, sql), engine_name(parsed(target.url or "")), reading)
        yield from map(reader.read, columns)


class _Reader:
    """Reads one column after the other, and remembers which tables are too large or too slow."""

    def __init__(self, run: Callable[[str], Result], engine: str, reading: Reading):
        self._run, self._engine, self._reading = run, engine, reading
        self._due = time.monotonic() + reading.database_s
        self._large: set[str] = set()
        self._slow: dict[str, str] = {}

    def read(self, column: TextColumn) -> ColumnTexts:
        if time.monotonic() > self._due:
            return ColumnTexts(
                column, problem=f"not read: the {self._reading.database_s:g} s of its database were over"
            )
        if column.table in self._slow:
            return ColumnTexts(column, problem=self._slow[column.table])
        result = self._all_rows(column)
        if column.table in self._large:
            result = self._first_rows(column)
        if result.outcome != "ok":
            return ColumnTexts(column, problem=self._slow.get(column.table, result.error))
        texts = tuple(row[0] for row in result.rows)
        return ColumnTexts(column, texts, first_rows_only=column.table in self._large)

    def _all_rows(self, column: TextColumn) -> Result:
        if column.table in self._large:
            return Result("not_run")
        result = self._spelled(column, None)
        if result.outcome == _SLOW:
            self._large.add(column.table)
        return result

    def _first_rows(self, column: TextColumn) -> Result:
        result = self._spelled(column, self._reading.first_rows)
        if result.outcome == _SLOW:
            self._slow[column.table] = f"its table is too slow: the first rows were {result.error}"
        return result

    def _spelled(self, column: TextColumn, rows: int | None) -> Result:
        """Ask with the names as they are spelled, then as Postgres folds those of a DDL."""
        folded = TextColumn(column.table.lower(), column.name.lower())
        result = self._run(self._query(column, rows))
        if result.outcome != "error" or self._engine != "postgresql" or folded == column:
            return result
        again = self._run(self._query(folded, rows))
        return result if again.outcome == "error" else again

    def _query(self, column: TextColumn, rows: int | None) -> str:
        part = "" if rows is None else f" LIMIT {rows}"
        # Names are quoted; a name behind "t." is never taken for a text by SQLite.
        return (
            f"SELECT v FROM (SELECT {self._text(column)} AS v FROM {_quoted(column.table)} AS t{part}) AS texts "  # noqa: S608
            f"WHERE v <> '' GROUP BY v ORDER BY count(*) DESC, v LIMIT {self._reading.texts_per_column}"
        )

    def _text(self, column: TextColumn) -> str:
        name, chars = f"t.{_quoted(column.name)}", self._reading.chars + 1
        match self._engine:
            case "sqlite":
                # Columns of any type may hold texts there, and columns of texts other things.
                return f"CASE typeof({name}) WHEN 'text' THEN substr({name}, 1, {chars}) END"
            case "postgresql":
                return f'substr(CAST({name} AS text), 1, {chars}) COLLATE "C"'
            case _:
                return f"substr(CAST({name} AS VARCHAR), 1, {chars})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
