"""SQL as a reviewer reads it: coloured by kind of token, line by line, hidden signs shown, long ones in one colour."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import sqlglot
from markupsafe import Markup
from pygments.lexers.sql import SqlLexer
from pygments.token import Comment, Keyword, Literal, Name, Number, String, _TokenType
from sqlglot.errors import SqlglotError

from feedback_pipeline.api.pages.texts import left_out, shown_chars, visible

MAX_COLOURED_CHARS = 20_000
"""Longer SQL is shown in one colour: reading it takes minutes anyway, colouring it must not."""
MAX_LINES = 1_000
"""Of one SQL text on a page."""

_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (Keyword, "k"),
    (Number, "m"),
    (String, "s"),
    (Literal, "s"),
    (Name.Builtin, "f"),
    (Name.Function, "f"),
)
_PARSER_FAULTS = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, RecursionError)

Styles = Sequence[str]
"""The class of each character."""


def plain_breaks(sql: str) -> str:
    """Return ``sql`` with line feeds for Windows' line breaks; a lone return stays, and is shown as what it is."""
    return sql.replace("\r\n", "\n")


def styles_of(sql: str) -> Styles:
    """Return the class of each character of ``sql``: empty for what needs no colour."""
    if len(sql) > MAX_COLOURED_CHARS:
        return [""] * len(sql)
    styles = [""] * len(sql)
    for start, kind, text in SqlLexer().get_tokens_unprocessed(sql):
        style = _style_of(kind, text)
        styles[start : start + len(text)] = [style] * len(text)
    return styles


def _style_of(kind: _TokenType, text: str) -> str:
    if len(text) == 1 and text.isalpha():
        # "C" is a key word of the standard; in a query it is the alias of a table.
        return ""
    return next((name for group, name in _CLASSES if kind in group), "")


def coloured(text: str, styles: Styles) -> Markup:
    """Return ``text`` escaped, in spans of one class each."""
    parts, start = [], 0
    for style, run in groupby(styles):
        end = start + sum(1 for _ in run)
        parts.append(_span(style, text[start:end]))
        start = end
    return Markup("").join(parts)


def _span(style: str, text: str) -> Markup:
    shown = visible(text)
    return Markup('<span class="{}">{}</span>').format(style, shown) if style else shown


def lines_of(sql: str) -> Iterator[tuple[int, str]]:
    """Yield where each line of ``sql`` starts, and its text without the break."""
    start = 0
    for line in sql.split("\n"):
        yield start, line
        start += len(line) + 1


def start_of(sql: str) -> tuple[str, Markup | None]:
    """Return as much of ``sql`` as a page shows, and a line that says how much more there is, if there is more."""
    shown = "\n".join(sql.split("\n", MAX_LINES)[:MAX_LINES])
    shown = shown[: shown_chars(shown)]
    rest = sql[len(shown) :]
    if not rest:
        return sql, None
    return shown, Markup('<em class="muted">{}</em>').format(left_out(len(rest), rest.count("\n") or 1))


def highlighted(sql: str | None) -> list[Markup]:
    """Return the lines of ``sql`` in colour; none for no SQL."""
    if not sql:
        return []
    sql, rest = start_of(plain_breaks(sql))
    styles = styles_of(sql)
    lines = [coloured(line, styles[start : start + len(line)]) for start, line in lines_of(sql)]
    return [*lines, rest] if rest else lines


def formatted(sql: str | None, dialect: str) -> str | None:
    """Return ``sql`` laid out over several lines, or as it is where it cannot be read as one query of ``dialect``."""
    if not sql or len(sql) > MAX_COLOURED_CHARS:
        return sql
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=dialect) if tree is not None]
        return trees[0].sql(dialect=dialect, pretty=True) if len(trees) == 1 else sql
    except _PARSER_FAULTS:
        return sql
