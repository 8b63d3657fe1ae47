"""Replaces personal data and secrets in a text by typed placeholders such as ``<EMAIL_ADDRESS>``.

What counts as personal stands in ``personal_data``, what as secret in ``secret_values``. Of what was replaced only kind
and number are kept. Redacting again what has been redacted changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from feedback_pipeline.curation.suspicion import may_hold_personal_data, may_hold_secret, may_name_secret, readings

SECRET = "SECRET"  # noqa: S105 - the name of a kind
_MIN_DIGITS_OF_SECRET = 6
_MAX_PASSES = 8
"""A placeholder may make what stands beside it readable, so the search is repeated; two passes are the rule."""


@dataclass(frozen=True)
class Redacted:
    """A text without personal data and secrets, and what was replaced, as kind → count."""

    text: str
    counts: Mapping[str, int] = field(default_factory=dict)


def redact(text: str, before: str = "") -> Redacted:
    """Return ``text`` with placeholders.

    Args:
        text: a question, a comment, or a value in SQL.
        before: what stands in front of the text where it comes from; a column name there can tell that digits are a
            phone number.

    Example:
        >>> redact("orders of ana@example.org").text
        'orders of <EMAIL_ADDRESS>'

    """
    counts: Counter[str] = Counter()
    for _ in range(_MAX_PASSES):
        kinds = Counter[str]()
        text = _replace(text, _in_all_readings(text, _secrets), kinds)
        text = _replace(text, _in_all_readings(text, lambda reading: _personal_data(reading, before)), kinds)
        if not kinds:
            break
        counts += kinds
    return Redacted(text, dict(sorted(counts.items())))


def placeholder(kind: str) -> str:
    """Return what stands in a text in place of something of that kind."""
    return f"<{kind}>"


def assigned_secrets(sql: str) -> list[tuple[int, int]]:
    """Return where in SQL something is compared with, or assigned to, a name like ``password``."""
    if not may_name_secret(sql):
        return []
    from feedback_pipeline.curation.secret_values import find_assigned

    return [(found.start, found.end) for found in find_assigned(sql)]


def is_secret_name(name: str) -> bool:
    """Tell whether a column with this name holds secrets."""
    if not may_name_secret(name):
        return False
    from feedback_pipeline.curation.secret_values import is_secret_name as is_one

    return is_one(name)


def can_be_secret(value: str) -> bool:
    """Tell whether a value that is compared with a secret may be one, rather than a parameter or a placeholder."""
    from feedback_pipeline.curation.secret_values import can_be_secret as can_be

    digits = value.strip("%")
    return can_be(value) or (digits.isdigit() and len(digits) >= _MIN_DIGITS_OF_SECRET)


def _in_all_readings(text: str, search: Callable[[str], list[tuple[int, int, str]]]) -> Iterable[tuple[int, int, str]]:
    for reading, places in readings(text):
        for start, end, kind in search(reading):
            yield (start, end, kind) if places is None else (places[start], places[end - 1] + 1, kind)


def _secrets(text: str) -> list[tuple[int, int, str]]:
    if not may_hold_secret(text):
        return []
    from feedback_pipeline.curation.secret_values import find_secrets

    return [(found.start, found.end, found.kind) for found in find_secrets(text)]


def _personal_data(text: str, before: str) -> list[tuple[int, int, str]]:
    if not may_hold_personal_data(text, before):
        return []
    from feedback_pipeline.curation.personal_data import find_personal_data

    return [(found.start, found.end, found.kind) for found in find_personal_data(text, before)]


def _replace(text: str, found: Iterable[tuple[int, int, str]], kinds: Counter[str]) -> str:
    for start, end, kind in reversed(_without_overlaps(found)):
        text = text[:start] + placeholder(kind) + text[end:]
        kinds[kind] += 1
    return text


def _without_overlaps(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Join what overlaps: the longest match gives the kind, the first in the alphabet of several equally long."""
    joined: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(found, key=lambda item: (item[0], -item[1], item[2])):
        if joined and start < joined[-1][1]:
            first, last, known = joined[-1]
            longer = end - start > last - first
            joined[-1] = (first, max(last, end), kind if longer else known)
        else:
            joined.append((start, end, kind))
    return joined
