r"""Removes signs that nobody sees but a model reads: controls, reordering marks, invisible letters.

Line breaks (``\n``, ``\r\n``) and tabs stay. So do invisible signs where writing needs them: joiners in Arabic and
Indic scripts and in emoji, one variation selector after the sign it varies, direction marks in text that has letters
running from right to left, and the flags of England, Scotland and Wales.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

CONTROL, BIDI, INVISIBLE = "control", "bidi", "invisible"

_UNREMARKABLE = re.compile(r"[\n\r\t -~\u00a0-\u00ac\u00ae-\u02ff]*")
_LONE_RETURN = re.compile(r"\r(?!\n)")
_BREAKS = frozenset("\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_DIRECTION_MARKS = frozenset("\u200e\u200f\u061c")
_VISIBLE_FORMAT = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
_JOINERS = frozenset("\u200c\u200d")
_FLAGS = re.compile(
    "\U0001f3f4\U000e0067\U000e0062"
    "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_LONG_RUN = 4
"""So many invisible signs in a row are no accident of copying."""


@dataclass(frozen=True)
class Normalised:
    """A text without hidden signs.

    Attributes:
        text: what is left.
        removed: kind of sign → count.
        hidden: what invisible signs spelled, where they spell letters.
        deliberate: whether so much was hidden that it was no accident.
        reordered: whether signs showed the text in another order than it is read.

    """

    text: str
    removed: Mapping[str, int] = field(default_factory=dict)
    hidden: str = ""
    deliberate: bool = False
    reordered: bool = False


def normalise(text: str) -> Normalised:
    """Return ``text`` without hidden signs; the same object where there are none."""
    if _UNREMARKABLE.fullmatch(text) and not _LONE_RETURN.search(text):
        return Normalised(text)
    reader = _Reader(text)
    kept = reader.read()
    if not reader.removed:
        return Normalised(text)
    hidden = reader.hidden_text()
    deliberate = bool(hidden) or reader.longest_run >= _LONG_RUN
    reordered = not _REORDERING.isdisjoint(text)
    return Normalised(kept, dict(sorted(reader.removed.items())), hidden, deliberate, reordered)


class _Reader:
    """Goes through a text once, sign by sign."""

    def __init__(self, text: str):
        self.text = text
        self.removed: Counter[str] = Counter()
        self.longest_run = 0
        self._tags: list[str] = []
        self._selectors = bytearray()
        self._right_to_left = any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text)
        self._in_flags = {place for flag in _FLAGS.finditer(text) for place in range(*flag.span())}

    def read(self) -> str:
        kept: list[str] = []
        run = 0
        for place, sign in enumerate(self.text):
            kind = self._kind(place, sign)
            run = run + 1 if kind == INVISIBLE else 0
            self.longest_run = max(self.longest_run, run)
            if kind is None:
                kept.append(sign)
                continue
            self.removed[kind] += 1
            self._remember(sign)
            if sign == "\r" or sign in _BREAKS:
                kept.append("\n")
        return "".join(kept)

    def hidden_text(self) -> str:
        """Return what tag signs and variation selectors spell."""
        smuggled = self._selectors.decode("utf-8", "replace") if len(self._selectors) > 1 else ""
        return "".join(self._tags) + smuggled

    def _kind(self, place: int, sign: str) -> str | None:
        """Return why a sign has to go, None for one that stays."""
        if "\x1f" < sign < "\x7f" or sign in "\n\t":
            return None
        if sign == "\r":
            return None if self.text[place + 1 : place + 2] == "\n" else CONTROL
        if sign in _REORDERING:
            return BIDI
        if sign in _DIRECTION_MARKS:
            return None if self._right_to_left else BIDI
        return self._kind_of_rare(place, sign)

    def _kind_of_rare(self, place: int, sign: str) -> str | None:
        category = unicodedata.category(sign)
        if category in ("Cc", "Cs") or sign in _BREAKS:
            return CONTROL
        if _is_selector(sign):
            return None if _varies(self.text[place - 1 : place], sign) else INVISIBLE
        if sign in _JOINERS:
            return None if self._joins(place) else INVISIBLE
        if place in self._in_flags or sign in _VISIBLE_FORMAT or _is_hieroglyph_format(sign):
            return None
        hides = category == "Cf" or sign in _BLANK_LETTERS or _is_ignorable(sign)
        return INVISIBLE if hides and not self._is_mongolian(place) else None

    def _joins(self, place: int) -> bool:
        before, after = self.text[place - 1 : place] if place else "", self.text[place + 1 : place + 2]
        if _needs_joiners(before):
            return True
        return self.text[place] == "\u200d" and _is_pictograph(before) and _is_pictograph(after)

    def _is_mongolian(self, place: int) -> bool:
        return place > 0 and "\u1820" <= self.text[place - 1] <= "\u18aa" and "\u180b" <= self.text[place] <= "\u180f"

    def _remember(self, sign: str) -> None:
        code = ord(sign)
        if 0xE0020 <= code <= 0xE007E:
            self._tags.append(chr(code - 0xE0000))
        elif _is_selector(sign):
            self._selectors.append(code - 0xFE00 if code < 0xE0000 else code - 0xE0100 + 16)


def _is_selector(sign: str) -> bool:
    return "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef"


def _varies(base: str, selector: str) -> bool:
    """Tell whether a selector has something to vary: emoji and symbols, or ideographs for the second kind."""
    if not base or _is_selector(base):
        return False
    if selector >= "\U000e0100":
        return unicodedata.name(base, "").startswith("CJK ")
    return base in "#*0123456789" or (base > "\x7f" and unicodedata.category(base)[0] in "LMNPS")


def _needs_joiners(sign: str) -> bool:
    """Tell whether a sign belongs to a script whose letters change with a joiner after them."""
    letter = bool(sign) and unicodedata.category(sign)[0] in "LM"
    in_script = "\u0600" <= sign <= "\u08ff" or "\u0900" <= sign <= "\u0dff" or "\u1000" <= sign <= "\u109f"
    return letter and (in_script or "\u1780" <= sign <= "\u18af") and not _is_selector(sign)


def _is_pictograph(sign: str) -> bool:
    return bool(sign) and (
        unicodedata.category(sign) == "So" or sign == "\ufe0f" or "\U0001f3fb" <= sign <= "\U0001f3ff"
    )


def _is_hieroglyph_format(sign: str) -> bool:
    return "\U00013430" <= sign <= "\U0001343f"


def _is_ignorable(sign: str) -> bool:
    """Tell whether a code point has no meaning and no shape: the whole plane of tags, and non-characters."""
    return (
        "\U000e0000" <= sign <= "\U000e0fff" or "\U0001d173" <= sign <= "\U0001d17a" or (ord(sign) & 0xFFFE) == 0xFFFE
    )
