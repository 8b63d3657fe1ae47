"""Tidying: what models and people put around a query is taken away, and noted.

Taken away are Markdown fences, ``<sql>`` tags, backticks around the whole, labels (``SQL:``) and English prose before
or after the query. Text that reads as one query stays to the letter. Prose is only taken away where what is left reads
as exactly one query and what goes cannot be SQL: a second statement, a comment or half a clause stays, so that the
checks refuse the whole. Nothing is added and nothing within the query is mended.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise

from feedback_pipeline.curation.sql import PARSER_FAULTS, parse_query

_FENCE = "```"
_MARK = re.compile(r"`{3,}|</?sql>", re.IGNORECASE)
_MOST_MARKS = 40
_MOST_BEGINNINGS, _MOST_ENDS = 3, 8
_STARTS_A_QUERY = re.compile(r"\s*(?:select|with|values|from)\b", re.IGNORECASE)
_TRAILING = "; \t\r\n\f\v\N{NO-BREAK SPACE}"

# The repeats are possessive (``*+``): over a long run of blanks, backtracking would take minutes.
_LANGUAGE = re.compile(r"[ \t]*+(?:(?:sql\w*|[a-z]*sql)\b[ \t]*+|[\w+-]*+[ \t]*+(?=\r?\n))", re.IGNORECASE)
_QUERY_BEGINS = re.compile(r"(?:^|[\n:])[ \t]*+`?+(?=[( \t]*+(?:select|with)\b)", re.IGNORECASE)
_LABEL = re.compile(r"\W*(?:sql\w*|[a-z]*sql|query)\W*", re.IGNORECASE)
_OPENING = (
    r"this|these|the|explanation|notes?|here|it|in|i|hope|please|let|to|output|results?|comment|answer|we|you|each"
)
_QUERY_ENDS = re.compile(rf";|\n[ \t\r]*+(?=\n)|\n(?=[ \t*_#>-]*+(?:{_OPENING})\b)", re.IGNORECASE)
_NAMED_PROSE = re.compile(r"\W*(?:explanation|notes?|output|results?|comment|answer)\W*:", re.IGNORECASE)
_ENGLISH = re.compile(
    r"\b(?:the|this|that|these|those|it|its|which|who|you|your|i|we|our|of|are|was|were|be|will|would|can|could|should"
    r"|may|an|has|have|here|there|query|queries|returns?|calculates|counts|selects|finds|shows|gives|hope|helps|please"
    r"|assuming|because|based|also|each|their|they)\b",
    re.IGNORECASE,
)
_ONLY_IN_SQL = re.compile(
    r"\W*(?:select|values|where|group\s+by|having|order\s+by|limit|offset|fetch|qualify|union|intersect|join|inner|outer"
    r"|cross|lateral|insert|update|delete|merge|create|drop|alter|truncate|grant|revoke|attach|detach|pragma|vacuum"
    r"|rollback|commit|exec|declare)\b",
    re.IGNORECASE,
)
_IN_SQL_AND_ENGLISH = re.compile(
    r"\W*(?:with|from|for|window|except|minus|left|right|full|natural|on|using|and|or|not|as|in|is|like|between|case|when"
    r"|then|else|end|replace|explain|begin|set|reset|show|use|call|execute|do|copy|prepare|load)\b",
    re.IGNORECASE,
)
_OF_A_CLAUSE = re.compile(r"[=<>(,;]|\b(?:join|where|having|select|union|limit|by|on|and|or|as)\b", re.IGNORECASE)
_STATEMENT_WORDS = frozenset(
    [("insert", "into"), ("replace", "into"), ("merge", "into"), ("delete", "from"), ("select", "distinct")]
    + [(verb, thing) for verb in ("union", "except", "intersect") for thing in ("select", "all", "distinct")]
    + [
        (verb, thing)
        for verb in ("create", "drop", "alter", "truncate")
        for thing in ("table", "view", "index", "database", "schema", "trigger", "function", "role", "user", "temp")
    ]
)


@dataclass(frozen=True)
class Tidied:
    """SQL without what stood around it.

    Attributes:
        sql: what is left; the text as it was where nothing had to go.
        removed: what was taken away, one note each, for the evidence.
        problem: why the query in the text cannot be told from the rest, where that is known.
    """

    sql: str
    removed: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class _Segment:
    """What stands between two marks (fences or tags)."""

    text: str
    opened: bool
    closed: bool
    fenced: bool


def tidy(sql: str, dialect: str) -> Tidied:
    """Take away what stands around the query in ``sql``.

    A fence is no SQL in any dialect, so where one piece of SQL is fenced, that piece is returned even if it cannot be
    read: the checks then say what is wrong with it. Where fences hold several different pieces, none is chosen: which
    one the user meant is not ours to guess.
    """
    if not sql.strip() or _is_query(sql, dialect):
        return Tidied(sql)
    marks = len(_MARK.findall(sql))
    if marks > _MOST_MARKS:
        return Tidied(sql, problem=f"holds {marks} code fences; leave the SQL alone")
    return _without_marks(sql, dialect) if marks else _without_prose(sql, dialect) or Tidied(sql)


@lru_cache(maxsize=32)
def _is_query(sql: str, dialect: str) -> bool:
    try:
        parse_query(sql, dialect)
    except (*PARSER_FAULTS, RecursionError):
        return False
    return True


def _without_marks(sql: str, dialect: str) -> Tidied:
    segments = [segment for segment in _segments(sql) if segment.text.strip()]
    pieces = {_trimmed(segment.text): segment for segment in reversed(segments) if _looks_like_sql(segment.text)}
    if len(pieces) > 1:
        return Tidied(sql, problem="holds different pieces of SQL in and around code fences; leave one")
    if not pieces:
        return Tidied(sql)
    text, chosen = pieces.popitem()
    others = [segment.text for segment in segments if _trimmed(segment.text) != text]
    if not chosen.opened and not (_ends_a_line(chosen.text) and all(map(_is_prose, others))):
        return Tidied(sql)
    inner = _without_prose(chosen.text, dialect) or Tidied(text)
    beside = (note for other in others for note in _note_on_words(other, "beside"))
    return Tidied(inner.sql, (_note_on_marks(chosen), *beside, *inner.removed))


def _segments(sql: str) -> Iterator[_Segment]:
    start, opened, fences = 0, False, 0
    for mark in [*_MARK.finditer(sql), None]:
        text = sql[start : mark.start() if mark else len(sql)]
        fenced = fences > 0 or (mark is not None and mark[0].startswith(_FENCE))
        yield _Segment(_without_language(text) if opened and fences else text, opened, mark is not None, fenced)
        if mark:
            fences += mark[0].startswith(_FENCE)
            opened = fences % 2 == 1 or mark[0].lower() == "<sql>"
            start = mark.end()


def _without_language(text: str) -> str:
    """Return what a fence holds without the language named on it."""
    language = None if _STARTS_A_QUERY.match(text) else _LANGUAGE.match(text)
    return text[language.end() :] if language else text


def _ends_a_line(text: str) -> bool:
    return text.rstrip(" \t").endswith("\n")


def _without_prose(text: str, dialect: str) -> Tidied | None:
    """Return the one query in ``text`` without label and prose around it, or None if it cannot be told."""
    if _is_query(text, dialect):
        return Tidied(_trimmed(text))
    for begin in islice(_QUERY_BEGINS.finditer(text), _MOST_BEGINNINGS):
        before, query, ticked = text[: begin.end()], text[begin.end() :], begin[0].endswith("`")
        if _can_go_before(before.rstrip("`")):
            found = _up_to_its_end(query, ticked, dialect)
            if found:
                after = query[len(found) :]
                notes = ["removed backticks around the SQL"] if ticked else []
                notes += [
                    *_note_on_words(before.strip("` \n\t"), "before"),
                    *_note_on_words(after.lstrip("`"), "after"),
                ]
                return Tidied(_trimmed(found), tuple(notes))
    return None


def _up_to_its_end(query: str, ticked: bool, dialect: str) -> str | None:
    """Return the start of ``query`` that is one query and is followed by nothing but prose."""
    if ticked:
        end = query.find("`")
        alone = end >= 0 and not query[end + 1 :].strip(" \t\r\n.`")
        return query[:end] if alone and _is_query(query[:end], dialect) else None
    if _is_query(query, dialect):
        return query
    for end in islice(_QUERY_ENDS.finditer(query), _MOST_ENDS):
        found, after = query[: end.end()], query[end.end() :]
        if _is_prose(after) and not _looks_like_sql(after) and _is_query(found, dialect):
            return found
    return None


def _can_go_before(text: str) -> bool:
    if not text.strip():
        return True
    ends_well = _LABEL.fullmatch(text) or text.rstrip(" \t\r\n*_").endswith(":") or _is_prose(text)
    return bool(ends_well) and not _looks_like_sql(text)


def _looks_like_sql(text: str) -> bool:
    """Tell whether ``text`` may hold SQL; a sentence that begins like a clause ("With this query …") does not."""
    if "/*" in text or "*/" in text:
        return True
    return any(_is_sql_part(part) for part in re.split(r"[;\n]", text) if part.strip())


def _is_sql_part(part: str) -> bool:
    if _ONLY_IN_SQL.match(part) or re.match(r"\s*--(?!-)", part):
        return True
    words = re.findall(r"\w+", part.lower())
    if not _STATEMENT_WORDS.isdisjoint(pairwise(words)):
        return True
    reads = "select" in words and "from" in words[words.index("select") :]
    if like_a_clause := _IN_SQL_AND_ENGLISH.match(part):
        return reads or not (_ends_a_sentence(part) or _is_prose(part[like_a_clause.end() :]))
    return reads and not _is_prose(part)


def _is_prose(text: str) -> bool:
    """Tell whether ``text`` reads like English: small words that no clause is made of, and a sentence's end.

    A sentence that breaks off is prose too, unless a word or sign in it could make it half a clause.
    """
    english = len({word.lower() for word in _ENGLISH.findall(text)}) > 1 and len(text.split()) > 2
    return bool(_NAMED_PROSE.match(text)) or (english and (_ends_a_sentence(text) or not _OF_A_CLAUSE.search(text)))


def _ends_a_sentence(text: str) -> bool:
    return text.rstrip(' \t\r\n*_`)"”').endswith((".", "!", "?", ":"))


def _trimmed(text: str) -> str:
    return text.strip().rstrip(_TRAILING)


def _note_on_marks(chosen: _Segment) -> str:
    mark = "a Markdown code fence" if chosen.fenced else "an <sql> tag"
    if chosen.opened and chosen.closed:
        return f"removed {mark} around the SQL"
    if chosen.opened:
        return f"removed {mark} that is never closed; the SQL may have been cut short"
    return f"removed {mark} after the SQL"


def _note_on_words(text: str, where: str) -> Iterator[str]:
    words = len(text.split())
    if words:
        shown = textwrap.shorten(text[:500], 60, placeholder=" …")
        yield f"removed {words} {'word' if words == 1 else 'words'} {where} the SQL: “{shown}”"
