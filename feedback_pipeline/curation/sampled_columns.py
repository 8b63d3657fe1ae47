"""Which columns of a database may be sampled, and which of their values: those that a question would name.

Left out is what masking knows by its form anyway (numbers, dates, ids, web addresses), what no question quotes (free
text) and what is personal or secret: what ``privacy`` finds by its form, and passwords and postal addresses by the name
of their column. Names of people stay, as they do in questions and SQL: "songs of Joe Sharp" is what is asked.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import errors, exp

from feedback_pipeline.curation.cleaning import Cleaned
from feedback_pipeline.curation.hidden_signs import normalise
from feedback_pipeline.curation.privacy import is_secret_name, redact
from feedback_pipeline.curation.prompt_safety import flags_of
from feedback_pipeline.curation.suspicion import is_name_of_phone

SAMPLING_VERSION = 1
"""Raise it when other columns or values are left out than before."""

MAX_CHARS = 60
"""Longer values are not sampled: questions do not quote them."""

_VALUE, _IDS, _LONG = "value", "ids", f"texts of more than {MAX_CHARS} signs or of several lines"
_WEB, _HASHES, _FREE_TEXT, _PERSONAL = "web addresses or paths", "hashes", "free text", "personal data or secrets"
_USABLE = (_VALUE, _IDS)
_MAX_SHARE = {_PERSONAL: 0.05, _FREE_TEXT: 0.3, _WEB: 0.5, _HASHES: 0.5, _IDS: 0.8}
"""Share of a column's values from which the whole column is left out."""
_AT_LEAST = {_PERSONAL: 1, _IDS: 20}
"""So many have to look so before that says something: 4K and PG-13 are no ids. Else ``_A_FEW``."""
_A_FEW = 3

_TEXT_OR_OPEN = {
    *exp.DataType.TEXT_TYPES,
    *(exp.DType.BPCHAR, exp.DType.ENUM, exp.DType.USERDEFINED, exp.DType.UNKNOWN),
}
_NO_TEXT = frozenset(
    ("tsvector", "tsquery", "point", "line", "lseg", "box", "path", "polygon", "circle", "pg_lsn", "jsonpath")
)
"""Types of Postgres that sqlglot does not know."""

_WORDS = re.compile(r"[^\W\d_]+")
_WORDS_OF_NAME = re.compile(r"[A-Z]?[a-z\u00df-\u00ff]+|[A-Z]+(?![a-z])")
_ADDRESS = frozenset(("address", "addresses", "addr", "adresse", "adressen", "anschrift"))
_OTHER_ADDRESS = frozenset(("email", "mail", "ip", "mac", "web", "url"))
_STREET = frozenset(("street", "streets", "strasse", "straße"))
_HOUSE_NUMBER = re.compile(r"\d+ ?[a-z]?,? .+|.+ \d+ ?[a-z]?", re.IGNORECASE)
_MONTHS = frozenset(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "january", "february")
).union(("march", "april", "june", "july", "august", "september", "october", "november", "december"))
_WEEKDAYS = frozenset(
    ("mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun", "monday", "tuesday", "wednesday")
).union(("thursday", "friday", "saturday", "sunday"))
_DATE_WORDS = _MONTHS | _WEEKDAYS
_BESIDE_DATES = frozenset(("am", "pm", "st", "nd", "rd", "th", "of", "t", "z", "utc", "gmt"))
_NOTHING = frozenset(("null", "none", "nan", "n/a", "nil"))
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*(?: [A-Z]{1,5})?")
_WEB_OR_PATH = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:/{1,3}|www\.|/|\.{1,2}/|[A-Z]:\\|[\w.-]+\.[a-z]{2,6}/)\S+", re.IGNORECASE
)
_HASH = re.compile(
    r"(?=\S*\d)(?:[0-9a-f]{12,}|\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?|[0-9a-z_+/=-]{20,})", re.IGNORECASE
)
_ID = re.compile(r"(?=\S*\d)(?=\S*[^\W\d_])\S+")
_MANY_WORDS, _WORDS_OF_SENTENCE = 9, 5


@dataclass(frozen=True)
class SampledColumn:
    """The values of a column that may be sampled; none with the ``reason`` why."""

    values: tuple[str, ...] = ()
    reason: str | None = None


def may_hold_texts(type_name: str, dialect: str) -> bool:
    """Tell whether a column of this type may hold texts; enumerations and types nobody knows may.

    >>> may_hold_texts("VARCHAR(20)", "postgres"), may_hold_texts("INTEGER", "postgres")
    (True, False)
    """
    if type_name.lower() in _NO_TEXT:
        return False
    try:
        kind = exp.DataType.build(type_name, dialect=dialect)
    except errors.SqlglotError:
        return True
    # SQLite calls every type numeric that it does not know, STRING for one.
    return kind.is_type(*_TEXT_OR_OPEN) or (dialect == "sqlite" and kind.is_type(exp.DType.DECIMAL))


def why_not_by_name(table: str, column: str) -> str | None:
    """Return why a column is not to be read, as far as its name tells."""
    if is_secret_name(column):
        return "holds secrets, by its name"
    words = _words_of(column)
    if words & _OTHER_ADDRESS:
        return None
    if words & _ADDRESS or ("line" in words and _words_of(table) & _ADDRESS):
        return "holds postal addresses, by its name"
    return None


def sampled_column(table: str, column: str, texts: Sequence[str]) -> SampledColumn:
    """Return those of the distinct ``texts`` of a column that may be sampled, in their order."""
    texts = [text for text in texts if text.strip() and text.strip().lower() not in _NOTHING]
    looks = {text: _look(text) for text in texts}
    found = Counter(looks.values())
    free_text = Counter({_FREE_TEXT: found[_LONG] + sum(map(_is_sentence, texts))})
    if reason := _reason(found + free_text, len(texts)):
        return SampledColumn(reason=reason)
    cleaned = _all_cleaned(table, column, [text for text in texts if looks[text] in _USABLE])
    personal = Counter({_PERSONAL: sum(bool(safe.redactions) for safe in cleaned.values())})
    if reason := _reason(personal, len(cleaned)):
        return SampledColumn(reason=reason)
    values = tuple(text for text, safe in cleaned.items() if safe == Cleaned(text))
    return SampledColumn(values, None if values else _nothing_left(found))


def _reason(found: Mapping[str, int], total: int) -> str | None:
    for kind, share in _MAX_SHARE.items():
        if found.get(kind, 0) >= max(_AT_LEAST.get(kind, _A_FEW), share * total):
            return f"holds {kind}: {found[kind]} of {total} values"
    return None


def _nothing_left(looks: Counter[str]) -> str:
    if not looks:
        return "holds no texts"
    kind = looks.most_common(1)[0][0]
    return "holds nothing that may be used" if kind in _USABLE else f"holds nothing but {kind}"


def _look(text: str) -> str:
    if len(text) > MAX_CHARS or "\n" in text or "\r" in text:
        return _LONG
    plain = text.strip()
    words = [word.lower() for word in _WORDS.findall(plain)]
    if not words:
        return "numbers or signs"
    if _is_date(plain, words):
        return "dates"
    if _WEB_OR_PATH.fullmatch(plain):
        return _WEB
    if _HASH.fullmatch(plain):
        return _HASHES
    return _IDS if _ID.fullmatch(plain) and "@" not in plain else _VALUE


def _is_date(text: str, words: Sequence[str]) -> bool:
    if _ISO_TIME.fullmatch(text):
        return True
    if not any(sign.isdigit() for sign in text) or not _DATE_WORDS.union(_BESIDE_DATES).issuperset(words):
        return False
    return not _DATE_WORDS.isdisjoint(words) or bool(re.match(r"\d{1,2}:\d\d", text))


def _is_sentence(text: str) -> bool:
    if len(text) > MAX_CHARS:
        return False
    words = len(text.split())
    return words >= _MANY_WORDS or (words >= _WORDS_OF_SENTENCE and text.rstrip()[-1] in ".!")


def _all_cleaned(table: str, column: str, texts: Sequence[str]) -> dict[str, Cleaned]:
    """Clean as ``cleaning.clean_text`` does, with what the names say of digits."""
    lead = "phone " if is_name_of_phone(column) or is_name_of_phone(table) else ""
    cleaned = {text: _cleaned(text, lead) for text in texts}
    if _words_of(column) & _STREET:
        cleaned |= {text: Cleaned("", {"ADDRESS": 1}) for text in texts if _HOUSE_NUMBER.fullmatch(text.strip())}
    return cleaned


def _cleaned(text: str, lead: str) -> Cleaned:
    normalised = normalise(text)
    redacted = redact(normalised.text, lead)
    return Cleaned(redacted.text, redacted.counts, normalised.removed, flags_of(normalised))


def _words_of(name: str) -> set[str]:
    return {word.lower() for word in _WORDS_OF_NAME.findall(name)}
