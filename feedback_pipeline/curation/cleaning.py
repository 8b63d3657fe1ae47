"""What a text becomes before it may leave the store: hiding signs removed, personal data redacted, oddities flagged.

In this order, so that a sign nobody sees cannot keep an address from being found. Of what was removed only kinds and
counts are kept.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from feedback_pipeline.curation.hidden_signs import normalise
from feedback_pipeline.curation.privacy import SECRET, assigned_secrets, placeholder, redact
from feedback_pipeline.curation.prompt_safety import flags_of
from feedback_pipeline.curation.sql_parts import CODE, COMMENT, NUMBER, TEXT, Part, parts_of, shape_of

CLEANING_VERSION = 1
"""Raise it when other things are redacted, removed or flagged than before."""

_REMEMBERED = 20_000
_BEFORE = 60
"""So much SQL in front of a value is looked at to see what the value is."""


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
    """Return SQL as it may leave the store: only inside string literals and comments does anything change.

    A number that is personal for sure, such as that of a credit card, becomes a quoted placeholder. SQL that cannot be
    taken apart is treated like any other text.

    Example:
        >>> clean_sql("SELECT id FROM t WHERE mail = 'ana@example.org'", "sqlite").text
        "SELECT id FROM t WHERE mail = '<EMAIL_ADDRESS>'"

    """
    parts = parts_of(sql, dialect)
    if parts is None:
        return clean_text(sql)
    cleaned = _clean_parts(sql, parts)
    safe = "".join(part.text for part in cleaned)
    if safe == sql:
        return Cleaned(sql, flags=_flags(sql, parts))
    if shape_of(safe, dialect) != shape_of(sql, dialect):
        return clean_text(sql)
    redactions, removed = _sum(part.redactions for part in cleaned), _sum(part.removed_signs for part in cleaned)
    return Cleaned(safe, redactions, removed, _flags(sql, parts))


def _clean_parts(sql: str, parts: Iterable[Part]) -> list[Cleaned]:
    """Clean part by part, each with the safe text in front of it, so that cleaning again meets the same."""
    passwords = assigned_secrets(sql)
    cleaned: list[Cleaned] = []
    start, before = 0, ""
    for part in parts:
        end = start + len(part.text)
        if part.kind == TEXT and any(start < last and first < end for first, last in passwords):
            cleaned.append(Cleaned(placeholder(SECRET), {SECRET: 1}))
        else:
            cleaned.append(_clean_part(part, before))
        start, before = end, (before + cleaned[-1].text)[-_BEFORE:]
    return cleaned


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
