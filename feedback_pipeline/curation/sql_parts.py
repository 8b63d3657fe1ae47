"""Takes SQL apart into code, and the texts in it that people write: string literals, numbers and comments.

The parts put together again are the SQL, to the byte. The places come from sqlglot's tokenizer for the dialect; what
lies between two tokens is blanks and comments.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

CODE, TEXT, NUMBER, COMMENT = "code", "text", "number", "comment"

_TEXTS = {
    *(TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING),
    *(TokenType.UNICODE_STRING, TokenType.BYTE_STRING),
}
_DOUBLE_QUOTE_IS_TEXT_TOO = {"sqlite"}
_AROUND_TEXT = re.compile(
    r"""(?P<open>[A-Za-z]{0,2}&?(?P<quote>'''|\"""|'|"))(?P<inside>.*)(?P=quote)"""
    r"""|(?P<tag>\$\w*\$)(?P<in_tag>.*)(?P=tag)""",
    re.DOTALL,
)
_COMMENT = re.compile(r"/\*\+?(?P<block>.*?)\*/|(?:--|\#|//)(?P<line>[^\r\n]*)", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A piece of SQL; of a text or comment only what stands inside its marks, which are code."""

    kind: str
    text: str


def parts_of(sql: str, dialect: str) -> list[Part] | None:
    """Return the parts of ``sql`` in order, None where it cannot be told what is text and what is code."""
    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except (SqlglotError, ValueError):
        return None
    parts: list[Part] = []
    place = 0
    for token in tokens:
        parts += _between(sql[place : token.start])
        parts += _parts_of_token(token, sql[token.start : token.end + 1], dialect)
        place = token.end + 1
    return [part for part in (*parts, *_between(sql[place:])) if part.text]


def shape_of(sql: str, dialect: str) -> list[str | None] | None:
    """Return what must stay when texts change: all code and comment marks, with None where a value stands."""
    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except (SqlglotError, ValueError):
        return None
    shape: list[str | None] = []
    place = 0
    for token in tokens:
        written = sql[token.start : token.end + 1]
        is_value = token.token_type is TokenType.NUMBER or _is_text(token, written, dialect)
        shape += [_marks(sql[place : token.start]), None if is_value else _code(token, written)]
        place = token.end + 1
    return [*shape, _marks(sql[place:])]


def _code(token: Token, written: str) -> str:
    return _marks(written) if token.token_type is TokenType.HINT else written


def _marks(gap: str) -> str:
    return "".join(part.text for part in _between(gap) if part.kind == CODE)


def _parts_of_token(token: Token, written: str, dialect: str) -> Iterator[Part]:
    if token.token_type is TokenType.HINT:
        yield from _between(written)
    elif token.token_type is TokenType.NUMBER:
        yield Part(NUMBER, written)
    elif _is_text(token, written, dialect) and (around := _AROUND_TEXT.fullmatch(written)):
        group = "inside" if around["quote"] else "in_tag"
        yield Part(CODE, written[: around.start(group)])
        yield Part(TEXT, around[group])
        yield Part(CODE, written[around.end(group) :])
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
