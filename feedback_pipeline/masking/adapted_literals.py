"""How a value is written in the place of another literal: as one literal of the same kind, or not at all."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Protocol

from feedback_pipeline.masking.found import FoundValue


class DoubtError(Exception):
    """A value cannot be put into SQL without guessing; the text says why."""


class SqlLiteral(Protocol):
    """A literal of a query, as ``curation.sql_values`` finds it."""

    @property
    def text(self) -> str:
        """Its value, unescaped; of a LIKE pattern without the signs at its ends."""
        ...

    @property
    def kind(self) -> str:
        """``text`` or ``number``."""
        ...

    @property
    def column(self) -> str | None:
        """What it is compared with, as ``table.column``."""
        ...

    @property
    def start(self) -> int:
        """Where it begins in the SQL, quotes included."""
        ...

    @property
    def end(self) -> int:
        """Where it ends."""
        ...


_WRITTEN_OUT = frozenset(["quoted", "date", "time", "id", "number"])
"""Kinds of values that are told by how they are written; any other is a guess where the database is not asked."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?")
_LONGEST_NUMBER = 15
_LONGEST_TEXT = 200
_UNSAFE = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"(?:[^\W_]|[ '-])+")
"""What no pattern language reads as a sign."""
_PATTERN_BEFORE = re.compile(r"(?:\b(?:i?like|glob|regexp|rlike|similar\s+to|match)|~\*?)\s*\(?\s*N?$", re.IGNORECASE)
_ESCAPE_AFTER = re.compile(r"\s*\)?\s*escape\b", re.IGNORECASE)
_COMPARED_BEFORE = re.compile(r"(?:[=<>]|\b(?:between|and|limit|top|first|next))\s*\(?\s*$", re.IGNORECASE)
_ROW_LIMIT_BEFORE = re.compile(r"\b(?:limit|top|first|next)\s*\(?\s*$", re.IGNORECASE)
_CASE_FUNCTION = re.compile(r"\b(?:lower|lcase|upper|ucase)\s*\(", re.IGNORECASE)
_FOLDED_COLUMN_BEFORE = re.compile(
    r"\b(?P<function>lower|lcase|upper|ucase)\s*\(\s*[\w.\"`\[\]]+\s*\)\s*"
    r"(?:=|==|<>|!=|(?:not\s+)?like|(?:not\s+)?in\s*\(\s*)\s*N?$",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\d{4}(?=-\d\d-\d\d)")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_REACH = 200
"""So many characters before a literal tell what it is compared with."""


def number_in(text: str) -> str | None:
    """Return a number as SQL writes it (``150000`` for "150,000"), None for anything that is more or less than one."""
    stripped = text.strip()
    if len(stripped) > _LONGEST_NUMBER or not stripped.isascii() or not _NUMBER.fullmatch(stripped):
        return None
    return stripped.replace(",", "")


def may_be_reckoned(staying: str, gone: Sequence[str]) -> bool:
    """Tell whether a number may follow from one that goes: the year before, cents for dollars, a share for per cent."""
    number = _number_of(staying)
    olds = [old for text in gone if (old := _number_of(text)) is not None]
    return number is not None and any(abs(number - old) <= 1 or _digits(number) == _digits(old) for old in olds)


def _number_of(text: str) -> Decimal | None:
    """Return a number, or the year of a date, without its sign."""
    year = _YEAR.match(text)
    number = year[0] if year else number_in(text)
    return abs(Decimal(number)) if number else None


def _digits(number: Decimal) -> tuple[int, ...]:
    """Return what multiplying by ten does not change."""
    return number.normalize().as_tuple().digits


def value_for(sql: str, literal: SqlLiteral, old: FoundValue, new: FoundValue) -> str:
    """Return how the database spells ``new``, which takes the place of ``literal``, which says ``old``.

    Raises:
        DoubtError: it cannot be told.

    """
    before = sql[max(0, literal.start - _REACH) : literal.start]
    if literal.kind == "number":
        return _number(before, literal, new)
    if new.kind != "known":
        return _as_asked(literal, old, new)
    return _in_case(sql, before, _only(new.spellings, literal.text), literal)


def written(sql: str, literal: SqlLiteral, value: str) -> str:
    """Return ``value`` as one literal of the kind of ``literal``, with the pattern signs that stand around it.

    Raises:
        DoubtError: it cannot be one.

    """
    if literal.kind == "number":
        return value
    if not value.strip() or len(value) > _LONGEST_TEXT or _UNSAFE.search(value):
        raise DoubtError("cannot be written as a plain text")
    opening, closing = _around(sql[literal.start : literal.end], literal.text)
    before = sql[max(0, literal.start - _REACH) : literal.start]
    is_pattern = bool(opening or closing or _PATTERN_BEFORE.search(before))
    if is_pattern and (not _PLAIN.fullmatch(value) or _ESCAPE_AFTER.match(sql, literal.end)):
        raise DoubtError("the value may be read as a pattern")
    # Single quotes always: SQLite takes a text in double quotes for a column of that name where there is one.
    doubled = value.replace("'", "''")
    return f"'{opening}{doubled}{closing}'"


def _around(quoted: str, text: str) -> tuple[str, str]:
    """Return the pattern signs before and after the value of a literal as written."""
    quote, inside = quoted[:1], quoted[1:-1]
    opening, middle, closing = inside.partition(text.replace(quote, quote * 2))
    if quote not in ("'", '"') or quoted[-1:] != quote or not middle or (opening + closing).strip("%_"):
        raise DoubtError("not a plain literal")
    return opening, closing


def _number(before: str, literal: SqlLiteral, new: FoundValue) -> str:
    numbers = {number_in(spelling) for spelling in new.spellings}
    number = numbers.pop() if len(numbers) == 1 else None
    if number is None:
        raise DoubtError("not a plain number")
    if literal.column is None and not _COMPARED_BEFORE.search(before):
        raise DoubtError("a number that is compared with nothing")
    if _ROW_LIMIT_BEFORE.search(before) and (not number.isdigit() or number == "0"):
        raise DoubtError("not a number of rows")
    if before.rstrip().endswith("-"):
        raise DoubtError("behind a minus sign")
    return number


def _only(spellings: Sequence[str], like: str) -> str:
    """Return the one spelling; where they differ in case alone, the one written in the case of ``like``."""
    distinct = sorted(set(spellings))
    if len({spelling.casefold() for spelling in distinct}) != 1:
        raise DoubtError("the database's spelling is not known")
    if len(distinct) > 1:
        distinct = [spelling for spelling in distinct if _case(spelling) == _case(like)]
    if len(distinct) != 1:
        raise DoubtError("the database's spelling is not known")
    return distinct[0]


def _in_case(sql: str, before: str, spelling: str, literal: SqlLiteral) -> str:
    """Return the spelling in the case that functions of the SQL around the column ask for."""
    if not _CASE_FUNCTION.search(sql):
        return spelling
    folded = _FOLDED_COLUMN_BEFORE.search(before)
    if folded:
        return spelling.lower() if folded["function"][0] in "lL" else spelling.upper()
    if _case(spelling) != _case(literal.text):
        raise DoubtError("the SQL changes the case of texts")
    return spelling


def _case(text: str) -> str:
    if text == text.lower():
        return "lower"
    return "upper" if text == text.upper() else "mixed"


def _as_asked(literal: SqlLiteral, old: FoundValue, new: FoundValue) -> str:
    """Return what is not known but written out: only where the example's SQL has it to the letter as its question."""
    value = new.spellings[0]
    is_quoted = new.kind == "quoted"
    if new.kind not in _WRITTEN_OUT or is_quoted != (old.kind == "quoted") or literal.text not in old.spellings:
        raise DoubtError("the database's spelling is not known")
    if (_case(value) != _case(literal.text)) if is_quoted else (_form(value) != _form(literal.text)):
        raise DoubtError("written in another form than the example's")
    if _ISO_DATE.fullmatch(value) and not _is_date(value):
        raise DoubtError("no day of any calendar")
    return value


def _form(text: str) -> str:
    return "".join(
        "9" if sign.isdigit() else "A" if sign.isupper() else "a" if sign.islower() else sign for sign in text
    )


def _is_date(text: str) -> bool:
    with suppress(ValueError):
        date.fromisoformat(text)
        return True
    return False
