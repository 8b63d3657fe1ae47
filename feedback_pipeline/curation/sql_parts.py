"""Takes SQL apart into code, and the texts in it that people write: literals, numbers, quoted aliases, comments.

The parts put together again are the SQL, to the byte. The places come from sqlglot's tokenizer for the dialect; what
lies between two tokens is blanks and comments. Which columns a value is compared with is read from the tokens as well.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

CODE, TEXT, NUMBER, COMMENT, ALIAS = "code", "text", "number", "comment", "alias"

_TEXTS = {
    *(TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING),
    *(TokenType.UNICODE_STRING, TokenType.BYTE_STRING),
}
_DOUBLE_QUOTE_IS_TEXT_TOO = {"sqlite"}
_COMPARES = {
    *(TokenType.EQ, TokenType.NEQ, TokenType.NULLSAFE_EQ, TokenType.COLON_EQ, TokenType.FARROW, TokenType.TILDE),
    *(TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE, TokenType.IN, TokenType.IS, TokenType.BETWEEN),
    *(TokenType.LIKE, TokenType.ILIKE, TokenType.GLOB, TokenType.RLIKE, TokenType.IRLIKE, TokenType.SIMILAR_TO),
}
_ENDS_CONDITION = {
    *(TokenType.AND, TokenType.OR, TokenType.XOR, TokenType.DAMP, TokenType.COMMA, TokenType.SEMICOLON),
    *(TokenType.SELECT, TokenType.FROM, TokenType.JOIN, TokenType.ON, TokenType.USING, TokenType.WHERE),
    *(TokenType.GROUP_BY, TokenType.HAVING, TokenType.QUALIFY, TokenType.ORDER_BY, TokenType.LIMIT, TokenType.OFFSET),
    *(TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT, TokenType.VALUES, TokenType.SET, TokenType.WITH),
    *(TokenType.WHEN, TokenType.THEN, TokenType.ELSE),
}
_QUOTE_OF_NAME = re.compile(r'["`\[]')
_AROUND_TEXT = re.compile(
    r"""(?P<open>[A-Za-z]{0,2}&?(?P<quote>'''|\"""|'|"))(?P<inside>.*)(?P=quote)"""
    r"""|(?P<tag>\$\w*\$)(?P<in_tag>.*)(?P=tag)""",
    re.DOTALL,
)
_COMMENT = re.compile(r"/\*\+?(?P<block>.*?)\*/|(?:--|\#|//)(?P<line>[^\r\n]*)", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A piece of SQL; of a text, alias or comment only what stands inside its marks, which are code."""

    kind: str
    text: str
    token: int = -1
    """Where the token of a text or number begins in the SQL."""


@dataclass(eq=False)
class Comparison:
    """A comparison, list, range or CASE: the names in it, and where the tokens of its values begin."""

    columns: list[str] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)
    """Names in double quotes, which may be texts."""
    tables: list[str] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    compares: bool = False
    open_ranges: int = 0

    def take(self, other: "Comparison") -> None:
        """Add what stands in brackets inside this comparison."""
        self.columns += other.columns
        self.quoted += other.quoted
        self.tables += other.tables
        self.values += other.values


def parts_of(sql: str, dialect: str) -> list[Part] | None:
    """Return the parts of ``sql`` in order, None where it cannot be told what is text and what is code."""
    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except (SqlglotError, ValueError):
        return None
    parts: list[Part] = []
    aliases = _quoted_aliases(sql, tokens)
    place = 0
    for token in tokens:
        parts += _between(sql[place : token.start])
        parts += _parts_of_token(token, sql[token.start : token.end + 1], dialect, aliases)
        place = token.end + 1
    return [part for part in (*parts, *_between(sql[place:])) if part.text]


def shape_of(sql: str, dialect: str) -> list[str | None] | None:
    """Return what must stay when texts change: all code and comment marks, with None where a value stands."""
    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except (SqlglotError, ValueError):
        return None
    shape: list[str | None] = []
    aliases = _quoted_aliases(sql, tokens)
    place = 0
    for token in tokens:
        written = sql[token.start : token.end + 1]
        is_value = token.token_type is TokenType.NUMBER or _is_text(token, written, dialect) or _is_in(token, aliases)
        shape += [_marks(sql[place : token.start]), None if is_value else _code(token, written)]
        place = token.end + 1
    return [*shape, _marks(sql[place:])]


def comparisons_of(sql: str, dialect: str) -> list[Comparison]:
    """Return what is compared with what; empty for SQL that cannot be read."""
    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except (SqlglotError, ValueError):
        return []
    reader = _ComparisonReader()
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        written = sql[token.start : token.end + 1]
        reader.read(token, _is_text(token, written, dialect), before, after)
    return reader.finish()


def _quoted_aliases(sql: str, tokens: Iterable[Token]) -> set[str]:
    """Return the names that stand in quotes after AS, which people make up."""
    found = set[str]()
    if not _QUOTE_OF_NAME.search(sql):
        return found
    after_as = False
    for token in tokens:
        if after_as and token.token_type is TokenType.IDENTIFIER:
            found.add(token.text)
        after_as = token.token_type is TokenType.ALIAS
    return found


def _is_in(token: Token, aliases: Collection[str]) -> bool:
    return bool(aliases) and token.token_type is TokenType.IDENTIFIER and token.text in aliases


def _code(token: Token, written: str) -> str:
    return _marks(written) if token.token_type is TokenType.HINT else written


def _marks(gap: str) -> str:
    return "".join(part.text for part in _between(gap) if part.kind == CODE)


def _parts_of_token(token: Token, written: str, dialect: str, aliases: Collection[str]) -> Iterator[Part]:
    if token.token_type is TokenType.HINT:
        yield from _between(written)
    elif token.token_type is TokenType.NUMBER:
        yield Part(NUMBER, written, token.start)
    elif _is_text(token, written, dialect) and (around := _AROUND_TEXT.fullmatch(written)):
        group = "inside" if around["quote"] else "in_tag"
        yield Part(CODE, written[: around.start(group)])
        yield Part(TEXT, around[group], token.start)
        yield Part(CODE, written[around.end(group) :])
    elif _is_in(token, aliases):
        yield Part(CODE, written[:1])
        yield Part(ALIAS, written[1:-1])
        yield Part(CODE, written[-1:])
    else:
        yield Part(CODE, written)


def _is_text(token: Token, written: str, dialect: str) -> bool:
    quoted_name = token.token_type is TokenType.IDENTIFIER and written.startswith('"')
    return token.token_type in _TEXTS or (quoted_name and dialect in _DOUBLE_QUOTE_IS_TEXT_TOO)


def _between(gap: str) -> Iterator[Part]:
    place = 0
    for comment in _COMMENT.finditer(gap):
        group = "line" if comment["block"] is None else "block"
        yield _loose(gap[place : comment.start()])
        yield Part(CODE, gap[comment.start() : comment.start(group)])
        yield Part(COMMENT, comment[group])
        yield Part(CODE, gap[comment.end(group) : comment.end()])
        place = comment.end()
    yield _loose(gap[place:])


def _loose(text: str) -> Part:
    """Return blanks as code; anything else between two tokens is the rest of a nested comment."""
    return Part(COMMENT if text.strip() else CODE, text)


class _Level:
    """What stands between two brackets, or between CASE and END."""

    def __init__(self, *, is_case: bool = False):
        self.is_case = is_case
        self.is_query = False
        self.operand: Comparison | None = None
        self.current = Comparison()
        self.loose: list[Comparison] = []
        """What compares nothing by itself: it belongs to the comparison around the brackets."""


class _ComparisonReader:
    """Goes through the tokens of a statement once; brackets may be as deep as they like."""

    def __init__(self):
        self._levels = [_Level()]
        self._found: list[Comparison] = []

    def read(self, token: Token, is_text: bool, before: Token | None, after: Token | None) -> None:
        kind, level = token.token_type, self._levels[-1]
        if kind in (TokenType.L_PAREN, TokenType.CASE):
            self._levels.append(_Level(is_case=kind is TokenType.CASE))
        elif kind in (TokenType.R_PAREN, TokenType.END):
            self._leave()
        elif kind in _ENDS_CONDITION:
            self._end_condition(level, kind)
        elif kind in _COMPARES:
            level.current.compares = True
            level.current.open_ranges += kind is TokenType.BETWEEN
        elif is_text or kind is TokenType.NUMBER:
            level.current.values.append(token.start)
            if kind is TokenType.IDENTIFIER:
                level.current.quoted.append(token.text)
        elif kind in (TokenType.VAR, TokenType.IDENTIFIER) and not _is(before, TokenType.ALIAS):
            self._name(level.current, token.text, after)

    def finish(self) -> list[Comparison]:
        while len(self._levels) > 1:
            self._leave()
        self._close(self._levels[0])
        return self._found

    def _name(self, comparison: Comparison, name: str, after: Token | None) -> None:
        if _is(after, TokenType.DOT):
            comparison.tables.append(name)
        elif not _is(after, TokenType.L_PAREN):  # not the name of a function
            comparison.columns.append(name)

    def _end_condition(self, level: _Level, kind: TokenType) -> None:
        if kind is TokenType.AND and level.current.open_ranges:
            level.current.open_ranges -= 1
            return
        if kind is TokenType.WHEN and level.is_case and not level.operand and _is_said(level.current):
            level.operand, level.current = level.current, Comparison()
        level.is_query |= kind is TokenType.SELECT
        self._close(level)
        if kind is TokenType.WHEN and level.operand:
            level.current = level.operand

    def _close(self, level: _Level) -> None:
        if level.current is not level.operand:
            (self._found if level.current.compares else level.loose).append(level.current)
        level.current = Comparison()

    def _leave(self) -> None:
        if len(self._levels) == 1:
            return
        level = self._levels.pop()
        self._close(level)
        if level.operand:
            level.operand.compares = True
            self._found.append(level.operand)
        for loose in () if level.is_query else level.loose:
            self._levels[-1].current.take(loose)


def _is(token: Token | None, kind: TokenType) -> bool:
    return token is not None and token.token_type is kind


def _is_said(comparison: Comparison) -> bool:
    return bool(comparison.columns or comparison.quoted or comparison.values)
