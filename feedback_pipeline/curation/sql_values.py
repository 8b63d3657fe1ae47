"""The values in a query: which literal stands where, and which column it is compared with.

The places are those that sqlglot's tokenizer notes. A literal is only told of where its place is certain: the
characters there, read as SQL, must be the literal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import sqlglot
from sqlglot import exp

from feedback_pipeline.curation.compared_columns import compared_column
from feedback_pipeline.curation.sql import PARSER_FAULTS, TEXT_OR_COLUMN, Columns, quoted_text_to_literals

MAX_CHARACTERS = 20_000
"""Longer SQL is not read: parsing it takes longer than its values are worth."""
_MAX_BRACKETS = 200
"""Nor is SQL with more brackets open at a time, which takes the parser seconds."""

TEXT: Literal["text"] = "text"
NUMBER: Literal["number"] = "number"
_QUOTES = ("'", '"')
_PATTERNS = (exp.Like, exp.ILike)
_PATTERN_SIGNS = "%_"


@dataclass(frozen=True, order=True)
class SqlValue:
    """A literal of a query.

    Attributes:
        start: where it begins in the SQL, in characters; quotes and a minus sign included.
        end: where it ends.
        text: its value, unescaped; of a LIKE pattern what is left without ``%`` and ``_`` at its ends.
        kind: ``text`` where it is quoted, else ``number``.
        column: what it is compared with as ``table.column`` in lower case, ``column`` where the table cannot be told,
            None for what is compared with no column, such as a LIMIT.

    """

    start: int
    end: int
    text: str
    kind: Literal["text", "number"]
    column: str | None


def sql_values(sql: str, dialect: str, columns: Columns | None = None) -> tuple[SqlValue, ...]:
    """Return the literals of one query in the order of its text; none for SQL that cannot be read.

    Args:
        sql: one query as written.
        dialect: sqlglot's name of the SQL dialect.
        columns: ``{table: {column: type}}`` where the schema is known.

    Example:
        >>> sql_values("SELECT area FROM state AS s WHERE s.name = 'ohio'", "sqlite")
        (SqlValue(start=43, end=49, text='ohio', kind='text', column='state.name'),)

    """
    if len(sql) > MAX_CHARACTERS or _open_brackets(sql) > _MAX_BRACKETS:
        return ()
    try:
        statements = sqlglot.parse(sql, read=dialect)
        queries = [tree for tree in statements if tree is not None and not isinstance(tree, exp.Semicolon)]
        if len(queries) != 1 or not isinstance(queries[0], exp.Query):
            return ()
        return tuple(_values(sql, queries[0], dialect, columns))
    except (*PARSER_FAULTS, RecursionError):
        return ()


def _open_brackets(sql: str) -> int:
    """Return how many brackets are open at a time at most."""
    if sql.count("(") <= _MAX_BRACKETS:
        return 0
    return max(accumulate({"(": 1, ")": -1}.get(sign, 0) for sign in sql))


def _values(sql: str, tree: exp.Query, dialect: str, columns: Columns | None) -> list[SqlValue]:
    quoted_text_to_literals(tree, dialect, columns)
    names = _unquoted_names(tree) if columns is None else frozenset()
    found: dict[int, SqlValue] = {}
    for node in tree.find_all(exp.Literal, exp.National):
        if _may_be_column(node, names):
            continue
        for value in _placed(sql, node, columns):
            earlier = found.setdefault(value.start, value)
            if earlier.column != value.column:  # the parser made two of one literal
                found[value.start] = SqlValue(value.start, value.end, value.text, value.kind, None)
    return sorted(found.values())


def _unquoted_names(tree: exp.Query) -> frozenset[str]:
    return frozenset(column.name.lower() for column in tree.find_all(exp.Column))


def _may_be_column(node: exp.Expr, names: frozenset[str]) -> bool:
    """Tell whether a text in double quotes is named as a column elsewhere in the query."""
    marked = isinstance(node.parent, exp.Anonymous) and node.parent.name == TEXT_OR_COLUMN
    return marked and node.name.lower() in names


def _placed(sql: str, node: exp.Expr, columns: Columns | None) -> Iterator[SqlValue]:
    start, last = node.meta.get("start"), node.meta.get("end")
    if start is None or last is None or isinstance(node.parent, exp.Escape):
        return
    if isinstance(node, exp.Literal) and not node.is_string:
        yield from _number(sql, node, start, last + 1, columns)
        return
    start += sql[start] not in _QUOTES  # N'text'
    if _read(sql[start : last + 1]) == node.name:
        column = compared_column(node, columns)
        yield SqlValue(start, last + 1, _without_signs(node), TEXT, column)


def _number(sql: str, node: exp.Expr, start: int, end: int, columns: Columns | None) -> Iterator[SqlValue]:
    if sql[start:end] != node.name:
        return
    sign = ""
    if isinstance(node.parent, exp.Neg):
        before = sql[:start].rstrip()
        if not before.endswith("-"):
            return
        start, sign = len(before) - 1, "-"
    yield SqlValue(start, end, sign + node.name, NUMBER, compared_column(node, columns))


def _read(written: str) -> str | None:
    """Return what a plain literal in quotes says, None where it is written in another way."""
    quote = written[:1]
    if len(written) < 2 or quote not in _QUOTES or written[-1] != quote:
        return None
    inside = written[1:-1]
    return None if quote in inside.replace(quote * 2, "") else inside.replace(quote * 2, quote)


def _without_signs(node: exp.Expr) -> str:
    is_pattern = isinstance(node.parent, _PATTERNS) and node.arg_key == "expression"
    return node.name.strip(_PATTERN_SIGNS) if is_pattern else node.name
