"""Texts as a reviewer must see them: nothing hidden in them stays hidden, times and numbers in plain words."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from markupsafe import Markup, escape

_MAY_HIDE = re.compile(r"[^\n\t -~\u00a1-\u00ac\u00ae-\u02ff]")
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_HIDING_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
MAX_SHOWN_CHARS = 20_000
MAX_HIDDEN_SIGNS = 1_000
"""Of one text on a page; each hidden sign takes a hundred times its room there."""
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def is_hidden(sign: str) -> bool:
    """Tell whether a sign shows nothing, or changes how others are shown: controls, bidi marks, zero widths.

    Line breaks, tabs and the ordinary space are none of them.
    """
    if sign in "\n\t ":
        return False
    if sign in _BLANK_LETTERS or _SELECTORS.match(sign):
        return True
    return unicodedata.category(sign) in _HIDING_CATEGORIES


def code_point(sign: str) -> Markup:
    """Return the mark that stands for a hidden sign, such as U+202E with its name as a tooltip."""
    name = unicodedata.name(sign, "control character")
    return Markup('<span class="hidden-sign" title="{name}">U+{code:04X}</span>').format(name=name, code=ord(sign))


def visible(text: Any) -> Markup:
    """Return ``text`` escaped, with every hidden sign shown as its code point."""
    text, end = str(text), 0
    parts: list[Markup] = []
    for found in _MAY_HIDE.finditer(text):
        if is_hidden(found[0]):
            parts += [escape(text[end : found.start()]), code_point(found[0])]
            end = found.end()
    return Markup("").join([*parts, escape(text[end:])])


def shown_chars(text: str) -> int:
    """Return how many characters of ``text`` come before its ``MAX_HIDDEN_SIGNS`` + 1st hidden sign: all, as a rule."""
    hidden = (found.start() for found in _MAY_HIDE.finditer(text) if is_hidden(found[0]))
    return next(islice(hidden, MAX_HIDDEN_SIGNS, None), len(text))


def visible_start(text: Any) -> Markup:
    """Return ``text`` like ``visible``; of a very long one the start, and how much more there is."""
    text = str(text)
    end = min(shown_chars(text[:MAX_SHOWN_CHARS]), MAX_SHOWN_CHARS)
    if end >= len(text):
        return visible(text)
    return visible(text[:end]) + Markup(' <em class="muted">{}</em>').format(left_out(len(text) - end))


def left_out(chars: int, lines: int = 0) -> str:
    """Return the words for what a page leaves out of a text."""
    within = f" in {counted(lines, 'line')}" if lines else ""
    return f"… {counted(chars, 'more character')}{within}, not shown here"


def plain(text: Any) -> str:
    """Return ``text`` for where no elements can stand (titles, labels): hidden signs as [U+202E]."""
    return _MAY_HIDE.sub(lambda found: f"[U+{ord(found[0]):04X}]" if is_hidden(found[0]) else found[0], str(text))


def moment(at: datetime) -> Markup:
    """Return a ``time`` element, in UTC to the minute."""
    at = _in_utc(at)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%Y-%m-%d %H:%M} UTC")


def age(at: datetime) -> Markup:
    """Return how long ago ``at`` was, in the largest unit that fits, as a ``time`` element."""
    at = _in_utc(at)
    words = _in_words(datetime.now(UTC) - at)
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M} UTC">{}</time>').format(at.isoformat(), at, words)


_UNITS = ((timedelta(days=365), "year"), (timedelta(days=1), "day"), (timedelta(hours=1), "hour"))


def _in_words(passed: timedelta) -> str:
    for unit, name in _UNITS:
        if passed >= unit:
            return counted(passed // unit, name)
    minutes = passed // timedelta(minutes=1)
    return counted(minutes, "minute") if minutes > 0 else "just now"


def counted(number: int, what: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 user``, ``1,204 users``."""
    return f"{number:,} {what if number == 1 else plural or what + 's'}"


def _in_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


FILTERS: dict[str, Callable[..., Any]] = {
    "visible": visible_start,
    "plain": plain,
    "moment": moment,
    "age": age,
    "counted": counted,
}
"""What templates call these functions."""
