"""What a text becomes before it may leave the store: hiding signs removed, personal data redacted, oddities flagged.

In this order, so that a sign nobody sees cannot keep an address from being found. Of what was removed only kinds and
counts are kept.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from feedback_pipeline.curation.hidden_signs import normalise
from feedback_pipeline.curation.privacy import (
    SECRET,
    assigned_secrets,
    can_be_secret,
    is_secret_name,
    placeholder,
    redact,
)
from feedback_pipeline.curation.prompt_safety import flags_of
from feedback_pipeline.curation.sql_parts import (
    CODE,
    COMMENT,
    NUMBER,
    TEXT,
    Comparison,
    Part,
    comparisons_of,
    parts_of,
    shape_of,
)
from feedback_pipeline.curation.suspicion import MIN_PHONE_DIGITS, is_name_of_phone, may_name_secret

CLEANING_VERSION = 2
"""Raise it when other things are redacted, removed or flagged than before."""

_REMEMBERED = 20_000
_BEFORE = 60
"""So much SQL in front of a value is looked at to see what the value is."""
_PHONE = "PHONE_NUMBER"
_LEAD_OF_PHONE = "phone '"
_LIKE_A_PHONE = re.compile(rf"[%_\s()+./-]*(?:\d[%_\s()+./-]*){{{MIN_PHONE_DIGITS},}}")


@dataclass(frozen=True)
class Cleaned:
    """A text that may leave the store.

    Attributes:
        text: the safe text; the same object as the input where nothing had to change.
        redactions: what was replaced, as placeholder type → count.
        removed_signs: what was normalised away, as kind (``bidi``, ``invisible``, ``control``) → count.
        flags: why a person should look at it, sorted; empty for an unremarkable text.

    """

    text: str
    redactions: Mapping[str, int] = field(default_factory=dict)
    removed_signs: Mapping[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@lru_cache(maxsize=_REMEMBERED)
def clean_text(text: str) -> Cleaned:
    """Return a question or comment as it may leave the store."""
    normalised = normalise(text)
    redacted = redact(normalised.text)
    safe = redacted.text if redacted.counts or normalised.removed else text
    return Cleaned(safe, redacted.counts, normalised.removed, flags_of(normalised))


@lru_cache(maxsize=_REMEMBERED)
def clean_sql(sql: str, dialect: str) -> Cleaned:
    """Return SQL as it may leave the store: only in string literals, quoted aliases and comments does anything change.

    A number that is personal for sure, such as that of a credit card, becomes a quoted placeholder. SQL that cannot be
    taken apart is treated like any other text.

    Example:
        >>> clean_sql("SELECT id FROM t WHERE mail = 'ana@example.org'", "sqlite").text
        "SELECT id FROM t WHERE mail = '<EMAIL_ADDRESS>'"

    """
    parts = parts_of(sql, dialect)
    if parts is None:
        return clean_text(sql)
    cleaned = _clean_parts(sql, dialect, parts)
    safe = "".join(part.text for part in cleaned)
    if safe == sql:
        return Cleaned(sql, flags=_flags(sql, parts))
    if shape_of(safe, dialect) != shape_of(sql, dialect):
        return clean_text(sql)
    redactions, removed = _sum(part.redactions for part in cleaned), _sum(part.removed_signs for part in cleaned)
    return Cleaned(safe, redactions, removed, _flags(sql, parts))


def _clean_parts(sql: str, dialect: str, parts: list[Part]) -> list[Cleaned]:
    """Clean part by part, each with the safe text in front of it, so that cleaning again meets the same."""
    assigned = assigned_secrets(sql)
    secrets, phones = _compared(sql, dialect)
    cleaned: list[Cleaned] = []
    start, before = 0, ""
    for part in parts:
        end = start + len(part.text)
        is_assigned = part.kind == TEXT and any(start < last and first < end for first, last in assigned)
        safe = _clean_part(part, _LEAD_OF_PHONE if part.token in phones else before)
        is_secret = part.token in secrets and not _is_column(sql, part) and _holds_secret(part, safe)
        cleaned.append(_hidden(part, SECRET) if is_assigned or is_secret else safe)
        start, before = end, (before + cleaned[-1].text)[-_BEFORE:]
    return _with_equal_types(parts, cleaned, phones) if phones else cleaned


def _compared(sql: str, dialect: str) -> tuple[set[int], dict[int, Comparison]]:
    """Return the tokens of values that are compared with secrets, and those compared with phone numbers."""
    secrets, phones = set[int](), dict[int, Comparison]()
    if not (may_name_secret(sql) or is_name_of_phone(sql)):
        return secrets, phones
    for comparison in comparisons_of(sql, dialect):
        if not comparison.values:
            continue
        columns = comparison.columns or comparison.quoted
        if any(map(is_secret_name, columns)):
            secrets.update(comparison.values)
        if any(map(is_name_of_phone, (*columns, *comparison.tables))):
            phones.update(dict.fromkeys(comparison.values, comparison))
    return secrets, phones


def _holds_secret(part: Part, safe: Cleaned) -> bool:
    """Look at the text before and after, so that cleaning again finds no more."""
    return can_be_secret(part.text) or (part.kind == TEXT and can_be_secret(safe.text))


def _is_column(sql: str, part: Part) -> bool:
    """Tell whether what may be a text is rather the quoted name of the column that holds the secrets."""
    return sql[part.token] == '"' and is_secret_name(part.text)


def _with_equal_types(parts: list[Part], cleaned: list[Cleaned], phones: Mapping[int, Comparison]) -> list[Cleaned]:
    """Hide what looks like a phone number beside one that was hidden: a text and a number do not make a range."""
    pairs = list(zip(parts, cleaned, strict=True))
    hidden = {id(phones[part.token]) for part, safe in pairs if part.token in phones and _PHONE in safe.redactions}
    return [
        _hidden(part, _PHONE)
        if part.token in phones
        and id(phones[part.token]) in hidden
        and safe.text == part.text
        and _LIKE_A_PHONE.fullmatch(part.text)
        else safe
        for part, safe in pairs
    ]


def _hidden(part: Part, kind: str) -> Cleaned:
    """Replace a value as a whole; the wildcards around it stay."""
    if part.kind == NUMBER:
        return Cleaned(f"'{placeholder(kind)}'", {kind: 1})
    inside = part.text.strip("%")
    start = part.text.find(inside)
    return Cleaned(part.text[:start] + placeholder(kind) + part.text[start + len(inside) :], {kind: 1})


def _clean_part(part: Part, before: str) -> Cleaned:
    if part.kind == CODE:
        return Cleaned(part.text)
    normalised = normalise(part.text)
    redacted = redact(normalised.text, before)
    text = redacted.text if "\n" in part.text else redacted.text.replace("\n", " ")
    if part.kind != NUMBER:
        return Cleaned(text, redacted.counts, normalised.removed)
    whole = [kind for kind in redacted.counts if text == placeholder(kind)]
    return Cleaned(f"'{text}'", redacted.counts) if whole else Cleaned(part.text)


def _flags(sql: str, parts: Iterable[Part]) -> tuple[str, ...]:
    """Look at the whole, and at each text and comment as if it began a line."""
    written = "\n".join(part.text for part in parts if part.kind in (TEXT, COMMENT))
    flags = {*flags_of(normalise(sql)), *flags_of(normalise(written))}
    return tuple(sorted(flags))


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
