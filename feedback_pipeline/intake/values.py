"""What a single value may be: each function returns it in our form or raises ValueError with the reason."""

import json
import math
import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

MAX_NAME_CHARS = 200
MAX_TEXT_CHARS = 1_000_000

EPOCH_SECONDS = re.compile(r"-?(\d{9,}(\.\d*)?|\d+\.\d+)")
"""Numbers of fewer digits are dates like 20250131."""


def is_nothing(value: Any) -> bool:
    """Tell whether ``value`` says "not there": null, a blank text, or the NaN that data frames write."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def text(value: Any, limit: int = MAX_TEXT_CHARS) -> str | None:
    """Return a text that the store can keep, or None where there is none."""
    if is_nothing(value):
        return None
    if not isinstance(value, str):
        raise ValueError(f"is {_kind(value)}, expected text")
    if len(value) > limit:
        raise ValueError(f"has {len(value):,} characters, at most {limit:,} are allowed")
    if "\0" in value:
        raise ValueError("holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"is not valid Unicode (character {error.start + 1})") from error
    return value


def line_text(value: Any, limit: int) -> str | None:
    """Return a text for people, without surrounding blanks; of control characters only tabs and line ends."""
    found = text(value, limit)
    for place, character in enumerate(found or "", start=1):
        if unicodedata.category(character) == "Cc" and character not in "\t\n\r":
            raise ValueError(f"holds the control character U+{ord(character):04X} (character {place})")
    return None if found is None else found.strip()


def name(value: Any) -> str | None:
    """Return a short text that identifies something."""
    return line_text(value, MAX_NAME_CHARS)


def key(value: Any) -> str | None:
    """Return an identifier that other systems often write as a number."""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool) and not is_nothing(value)
    return name(str(int(value)) if is_number and math.isfinite(value) and value == int(value) else value)


def whole_number(value: Any) -> int | None:
    """Return a whole number; 4, 4.0, "4" and "4.0" are the same."""
    if is_nothing(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"is {_kind(value)}, expected a whole number")
    if isinstance(value, int):
        return value
    number = _number(value)
    if not number.is_integer():
        raise ValueError(f"is {_shown(value)}, expected a whole number")
    return int(number)


def number(value: Any) -> float | None:
    """Return a finite number."""
    if is_nothing(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"is {_kind(value)}, expected a number")
    found = _number(value)
    if not math.isfinite(found):
        raise ValueError(f"is {_shown(value)}, expected a finite number")
    return found


def truth(value: Any) -> bool | None:
    """Return true or false; CSV writes them as text."""
    if is_nothing(value):
        return None
    if isinstance(value, str) and value.strip().casefold() in {"true", "false"}:
        return value.strip().casefold() == "true"
    if not isinstance(value, bool):
        raise ValueError(f"is {_shown(value)}, expected true or false")
    return value


def moment(value: Any, now: datetime) -> datetime | None:
    """Return an aware UTC time from ISO 8601 or epoch seconds; one without zone is UTC."""
    if is_nothing(value):
        return None
    try:
        found = _moment(value)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"is {_shown(value)}, expected ISO 8601 like 2025-01-31T12:00:00Z or epoch seconds") from error
    if found < datetime(1970, 1, 1, tzinfo=UTC):
        raise ValueError(f"is {found.isoformat()}, before 1970")
    if found > now + timedelta(days=1):
        raise ValueError(f"is {found.isoformat()}, in the future")
    return found


def items(value: Any) -> list[Any]:
    """Return a list; CSV holds it as JSON text."""
    if is_nothing(value):
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError("is text that is not a JSON list") from error
    if not isinstance(value, list):
        raise ValueError(f"is {_kind(value)}, expected a list")
    return value


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        stripped = value.strip()
        value = float(stripped) if EPOCH_SECONDS.fullmatch(stripped) else datetime.fromisoformat(stripped)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no time")
    return datetime.fromtimestamp(value, UTC)


def _number(value: int | float | str) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"is {_shown(value)}, expected a number") from None


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:60]


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", dict: "an object", list: "a list"}
    return names.get(type(value), f"of type {type(value).__name__}")
