"""One value of a result: as text that is equal where values are, and as JSON that a reviewer can read."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

MAX_CHARS = 80
"""Longer values, names and messages are shortened in evidence."""

MAX_CELLS = 50
"""Cells of one row that are kept as evidence."""

_FLOATS_ARE_PRECISE_TO_SIX_PLACES = 10**9
_JSON_INTEGERS = 2**63


def comparable(cell: Any) -> str:
    """Return a text that two values have in common exactly when they count as equal.

    Numbers are equal to six decimal places, whatever their type (1, 1.0 and Decimal("1.00") are one value); NaN equals
    NaN. NULL, text, bytes, booleans and numbers never equal each other. Dates and times compare as ISO texts.

    >>> comparable(-0.0), comparable(Decimal("1.50")), comparable(None), comparable("")
    ('n0', 'n1.5', 'z', 't')
    """
    if cell is None:
        return "z"
    if isinstance(cell, str):
        return "t" + cell
    if isinstance(cell, bool):
        return "bT" if cell else "bF"
    if isinstance(cell, int | float | Decimal):
        return "n" + _number(cell)
    if isinstance(cell, bytes | bytearray | memoryview):
        return "x" + bytes(cell).hex()
    return _comparable_rest(cell)


def _comparable_rest(cell: Any) -> str:
    if isinstance(cell, Mapping):
        # DuckDB's structs and maps; the length before each part keeps the parts apart.
        pairs = sorted((comparable(key), comparable(value)) for key, value in cell.items())
        return "s" + _joined(text for pair in pairs for text in pair)
    if isinstance(cell, Sequence):
        return "l" + _joined(map(comparable, cell))
    return "t" + as_text(cell)


def _joined(texts: Iterable[str]) -> str:
    return "".join(f"{len(text)}:{text}" for text in texts)


def _number(value: int | float | Decimal) -> str:
    if isinstance(value, int):
        return _integer(value)
    if not math.isfinite(value):
        return str(float(value))
    if isinstance(value, Decimal) and abs(value) < _FLOATS_ARE_PRECISE_TO_SIX_PLACES:
        # So that 0.1 is one value, whether the database calls it a float or a decimal.
        value = float(value)
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _integer(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        # Python spells more than some thousand digits in hexadecimal only.
        return hex(value)


def as_text(cell: Any) -> str:
    """Return a date, time or any other value without a JSON form as text; times with a zone are in UTC."""
    if isinstance(cell, datetime):
        return _in_utc(cell).isoformat(" ")
    if isinstance(cell, int):
        return _integer(cell)
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except OverflowError:
        # The first and the last day that Python knows.
        return moment


def shown(cell: Any) -> Any:
    """Return a value as JSON for a reviewer, shortened to MAX_CHARS."""
    if cell is None or isinstance(cell, bool):
        return cell
    if isinstance(cell, int) and abs(cell) < _JSON_INTEGERS:
        return cell
    if isinstance(cell, float) and math.isfinite(cell):
        return cell
    if isinstance(cell, bytes | bytearray | memoryview):
        return shortened(f"x'{bytes(cell[:MAX_CHARS]).hex()}'", MAX_CHARS)
    return shortened(cell if isinstance(cell, str) else as_text(cell), MAX_CHARS)


def shown_row(row: Sequence[Any]) -> list[Any]:
    """Return a row as JSON for a reviewer: at most MAX_CELLS values, and then one that says how many are left out."""
    cells = [shown(cell) for cell in row[:MAX_CELLS]]
    return cells if len(row) <= MAX_CELLS else [*cells, f"… {len(row) - MAX_CELLS} more"]


def shortened(text: str, length: int) -> str:
    """Return ``text`` in at most ``length`` characters that every JSON store takes: no NUL, no half surrogates."""
    text = text[: length + 1].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= length else text[: length - 1] + "…"
