"""Two versions of an SQL text side by side: which lines changed, and within these which words."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, zip_longest

from markupsafe import Markup

from feedback_pipeline.api.pages.highlighting import Styles, coloured, lines_of, plain_breaks, start_of, styles_of

MAX_COMPARED = 1_500
MAX_EQUAL_PAIRS = 40_000
"""Comparing takes time with the square of how many lines or words there are, and more where the same ones come again
and again. Beyond this all counts as changed: such texts are made by programs, and nobody reads them word by word."""

_DELETED, _INSERTED = Markup("<del>{}</del>"), Markup("<ins>{}</ins>")
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_IS_WORD = re.compile(r"\w")
_ALIKE = 0.25
"""Below this share of common words, marking words is confetti: the whole is another text."""


@dataclass(frozen=True)
class DiffRow:
    """One line of both sides; a side is None where it has no line here. ``changed`` sides differ."""

    before: Markup | None
    after: Markup | None
    before_number: int | None
    after_number: int | None
    changed: bool


@dataclass(frozen=True)
class _Side:
    """One version: its lines, and for each character whether it changed, and how it is coloured."""

    text: str
    lines: list[tuple[int, str]]
    styles: Styles
    changed: bytearray
    element: Markup
    rest: Markup | None

    @classmethod
    def of(cls, sql: str, element: Markup) -> "_Side":
        text, rest = start_of(plain_breaks(sql))
        return cls(text, list(lines_of(text)), styles_of(text), bytearray(len(text)), element, rest)

    def block(self, first: int, last: int) -> tuple[int, str]:
        """Return where the lines from ``first`` up to ``last`` start, and their text."""
        if first == last:
            return 0, ""
        start = self.lines[first][0]
        end = self.lines[last - 1][0] + len(self.lines[last - 1][1])
        return start, self.text[start:end]

    def mark(self, start: int, end: int) -> None:
        self.changed[start:end] = b"\1" * (end - start)

    def shown(self, number: int) -> Markup:
        """Return a line with its changed parts marked as deleted or inserted."""
        start, line = self.lines[number]
        parts = []
        for is_changed, run in groupby(range(len(line)), lambda place: self.changed[start + place]):
            places = list(run)
            text = line[places[0] : places[-1] + 1]
            part = coloured(text, self.styles[start + places[0] : start + places[-1] + 1])
            parts.append(self.element.format(part) if is_changed else part)
        return Markup("").join(parts)


def side_by_side(before: str, after: str) -> list[DiffRow]:
    """Return both texts line by line, what belongs together in one row.

    Changed words stand in ``del`` and ``ins`` elements; everything is escaped. Of very long texts the start is
    compared, and a last row says how much more there is.
    """
    old, new = _Side.of(before, _DELETED), _Side.of(after, _INSERTED)
    rows: list[DiffRow] = []
    for kind, first, last, new_first, new_last in _line_changes(old, new):
        if kind != "equal":
            _mark_words(old, new, old.block(first, last), new.block(new_first, new_last))
        pairs = zip_longest(range(first, last), range(new_first, new_last))
        rows += [_row(old, new, left, right, kind != "equal") for left, right in pairs]
    if old.rest or new.rest:
        rows.append(DiffRow(old.rest, new.rest, None, None, changed=False))
    return rows


def _row(old: _Side, new: _Side, left: int | None, right: int | None, changed: bool) -> DiffRow:
    return DiffRow(
        None if left is None else old.shown(left),
        None if right is None else new.shown(right),
        None if left is None else left + 1,
        None if right is None else right + 1,
        changed,
    )


def _line_changes(old: _Side, new: _Side) -> Sequence[tuple[str, int, int, int, int]]:
    before, after = [line for _, line in old.lines], [line for _, line in new.lines]
    if not _is_comparable(before, after):
        return [("replace", 0, len(before), 0, len(after))]
    return SequenceMatcher(None, before, after, autojunk=False).get_opcodes()


def _is_comparable(before: list[str], after: list[str]) -> bool:
    counts, others = Counter(before), Counter(after)
    pairs = sum(count * others[part] for part, count in counts.items() if not part.isspace())
    return max(len(before), len(after)) <= MAX_COMPARED and pairs <= MAX_EQUAL_PAIRS


def _mark_words(old: _Side, new: _Side, before: tuple[int, str], after: tuple[int, str]) -> None:
    (start, text), (new_start, new_text) = before, after
    for first, last, new_first, new_last in _changed_words(text, new_text):
        old.mark(start + first, start + last)
        new.mark(new_start + new_first, new_start + new_last)


def _changed_words(before: str, after: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield which characters of both texts changed; blanks and signs between two changes belong to them."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    everything = (0, len(before), 0, len(after))
    if not _is_comparable(old, new):
        yield everything
        return
    matcher = SequenceMatcher(str.isspace, old, new, autojunk=False)
    if old and new and matcher.ratio() < _ALIKE:
        yield everything
        return
    starts, new_starts = _starts(old), _starts(new)
    for first, last, new_first, new_last in _joined(matcher.get_opcodes(), old):
        yield starts[first], starts[last], new_starts[new_first], new_starts[new_last]


def _starts(words: list[str]) -> list[int]:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return starts


def _joined(opcodes: Sequence[tuple[str, int, int, int, int]], words: list[str]) -> list[tuple[int, int, int, int]]:
    changes: list[tuple[int, int, int, int]] = []
    touches = False
    for kind, first, last, new_first, new_last in opcodes:
        if kind == "equal":
            touches = touches and last - first <= 1 and not any(map(_IS_WORD.search, words[first:last]))
            continue
        if touches:
            before_first, _, before_new_first, _ = changes.pop()
            changes.append((before_first, last, before_new_first, new_last))
        else:
            changes.append((first, last, new_first, new_last))
        touches = True
    return changes
