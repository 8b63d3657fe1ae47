"""Small random queries over a small database, as structures that can be spelled in several ways."""

import sqlite3
from dataclasses import dataclass

from hypothesis import strategies as st

COLUMNS = {"t": {"a": "INTEGER", "b": "INTEGER", "c": "TEXT"}, "u": {"a": "INTEGER", "d": "TEXT"}}
_NAMES = {"t": ["a", "b", "c"], "u": ["a", "d"]}
_VALUES = ["0", "1", "2", "'x'", "'X'", "'1'", "NULL", "1.0"]


def database() -> sqlite3.Connection:
    """Return a database with NULLs, repeated rows, text that looks like a number, and text that differs in case."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        """
        CREATE TABLE t (a INTEGER, b INTEGER, c TEXT);
        CREATE TABLE u (a INTEGER, d TEXT);
        INSERT INTO t VALUES (0, 1, 'x'), (1, 0, 'X'), (1, 1, NULL), (2, NULL, '1'), (NULL, 2, 'x'), (2, 2, 'x');
        INSERT INTO u VALUES (0, 'x'), (1, NULL), (1, 'X'), (NULL, '1');
        """
    )
    return connection


@dataclass(frozen=True)
class Spelling:
    """How a query is written: none of it may matter."""

    aliases: tuple[str, str]
    brackets: bool
    reverse: bool
    always_true: bool
    long_join: bool
    upper: bool


spellings = st.builds(
    Spelling,
    aliases=st.sampled_from([("t", "u"), ("x", "y"), ("_t2", "_t1"), ("u", "t"), ("a", "b"), ("T1", "T2")]),
    brackets=st.booleans(),
    reverse=st.booleans(),
    always_true=st.booleans(),
    long_join=st.booleans(),
    upper=st.booleans(),
)


@dataclass(frozen=True)
class Query:
    """What a query asks. Columns are (source, name); source 0 is the first table, 1 the one joined, -1 no qualifier."""

    tables: tuple[str, ...]
    join: str
    join_on: tuple[str, str]
    distinct: bool
    shown: tuple[tuple[int, str], ...]
    renamed: str | None
    conditions: tuple[tuple[tuple[int, str], str, str], ...]
    connector: str
    negated: bool
    correlated: str | None
    order: tuple[tuple[int, str], bool] | None
    limit: int | None

    def written(self, spelling: Spelling) -> str:
        """Return the query as SQL."""
        parts = [self._select(spelling), self._from(spelling), self._where(spelling), self._tail(spelling)]
        return " ".join(part for part in parts if part)

    def _column(self, column: tuple[int, str], spelling: Spelling) -> str:
        source, name = column
        shown = name.upper() if spelling.upper else name
        return f"{spelling.aliases[source]}.{shown}"

    def _select(self, spelling: Spelling) -> str:
        columns = [self._column(column, spelling) for column in self.shown]
        if spelling.brackets and not self.renamed:
            columns = [f"({column})" for column in columns]
        if self.renamed:
            columns[0] += f" AS {self.renamed}"
        return f"SELECT {'DISTINCT ' if self.distinct else ''}{', '.join(columns)}"

    def _from(self, spelling: Spelling) -> str:
        first = f"FROM {self.tables[0]} AS {spelling.aliases[0]}"
        if len(self.tables) == 1:
            return first
        left, right = (self._column((i, self.join_on[i]), spelling) for i in (0, 1))
        sides = f"{right} = {left}" if spelling.reverse else f"{left} = {right}"
        word = {"JOIN": "INNER JOIN", "LEFT JOIN": "LEFT OUTER JOIN"}[self.join] if spelling.long_join else self.join
        return f"{first} {word} {self.tables[1]} AS {spelling.aliases[1]} ON {sides}"

    def _where(self, spelling: Spelling) -> str:
        conditions = [self._condition(condition, spelling) for condition in self.conditions]
        if self.correlated:
            inner = f"SELECT 1 FROM u AS inside WHERE inside.a = {self._column((0, 'a'), spelling)}"
            conditions.append(f"{self.correlated} ({inner})")
        whole = f" {self.connector} ".join(reversed(conditions) if spelling.reverse else conditions)
        if self.negated and whole:
            whole = f"NOT ({whole})"
        elif whole and (spelling.brackets or (spelling.always_true and self.connector == "OR")):
            whole = f"({whole})"
        if spelling.always_true:
            whole = f"1 = 1 AND {whole}" if whole else "1 = 1"
        return f"WHERE {whole}" if whole else ""

    def _condition(self, condition: tuple[tuple[int, str], str, str], spelling: Spelling) -> str:
        column, operator, value = condition
        written = f"{self._column(column, spelling)} {operator} {value}"
        return f"({written})" if spelling.brackets else written

    def _tail(self, spelling: Spelling) -> str:
        tail = ""
        if self.order:
            column, descending = self.order
            tail = f"ORDER BY {self._column(column, spelling)}" + (" DESC" if descending else "")
        return f"{tail} LIMIT {self.limit}".strip() if self.limit is not None else tail


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """Draw a query over one or two tables."""
    tables = draw(st.sampled_from([("t",), ("u",), ("t", "u"), ("t", "t")]))
    columns = st.sampled_from([(i, name) for i, table in enumerate(tables) for name in _NAMES[table]])
    operators = st.sampled_from(["=", "<>", "<", ">=", "IS", "IS NOT", "LIKE"])
    conditions = st.lists(st.tuples(columns, operators, st.sampled_from(_VALUES)), max_size=2)
    return Query(
        tables=tables,
        join=draw(st.sampled_from(["JOIN", "LEFT JOIN"])),
        join_on=("a", draw(st.sampled_from(_NAMES[tables[-1]]))),
        distinct=draw(st.booleans()),
        shown=tuple(draw(st.lists(columns, min_size=1, max_size=2))),
        renamed=draw(st.sampled_from([None, None, "a", "b"])),
        conditions=tuple(draw(conditions)),
        connector=draw(st.sampled_from(["AND", "OR"])),
        negated=draw(st.booleans()),
        correlated=draw(st.sampled_from([None, None, "EXISTS", "NOT EXISTS"])),
        order=draw(st.none() | st.tuples(columns, st.booleans())),
        limit=draw(st.sampled_from([None, None, 1, 2])),
    )
