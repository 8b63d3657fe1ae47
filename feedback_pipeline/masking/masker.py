"""Masks questions of one database: finds the values in them and puts what they are in their place."""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Self

from feedback_pipeline.masking.dictionary import KnownValue, ValueDictionary, folded
from feedback_pipeline.masking.forms import formed_values
from feedback_pipeline.masking.found import FoundValue, Kind, MaskedQuestion
from feedback_pipeline.masking.slots import NO_VALUE, words_beside

MAX_CHARACTERS = 2_000
"""Values are only looked for in the beginning of a question: models read no more of it."""
_SURE = 0.5
_BYTES_PER_SIGN = 16
"""Of the values' texts in memory: text, table, and the automaton's states."""
_DOUBT = 1.0
"""So many values of no column are added to those seen: few of a column do not yet tell what others are."""
_BLANKS = re.compile(r"\s+")
_WITHOUT_BLANKS = re.compile(
    "[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Han
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # Hiragana, Katakana
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u1780-\u17b3]"  # Thai, Lao, Khmer
)
"""Letters of scripts that set no blanks between words."""
_QUOTES = "\"'“”‘’«»„` "
_KIND_WORDS: Mapping[str, str] = {"quoted": "value", "name": "name"}

Span = tuple[int, int, Kind]


class QuestionMasker:
    """Masks questions with the values of one database. Thread-safe.

    Example:
        >>> masker.mask("What is the biggest city in Texas?").text
        'What is the biggest city in [state name]?'

    """

    def __init__(self, dictionary: ValueDictionary):
        self._values, self._labels, self._slots = dictionary.values, dictionary.labels, dictionary.slots
        self._texts = list(dictionary.values)

    def prepared(self) -> Self:
        """Build now what the first question would have to wait for."""
        if self._texts:
            _ = self._automaton
        return self

    @property
    def bytes(self) -> int:
        """Memory held, roughly, in bytes."""
        return sum(map(len, self._texts)) * _BYTES_PER_SIGN

    @cached_property
    def _automaton(self):
        from ahocorasick_rs import AhoCorasick

        return AhoCorasick(self._texts)

    def mask(self, question: str) -> MaskedQuestion:
        """Return ``question`` with its values masked. Never raises, whatever the text is."""
        question = plain_question(question)
        values, parts, end = [], [], 0
        for span in self.spans(question):
            value, label = self._value(question, span)
            if value is not None:
                values.append(value)
                parts += [question[end : value.start], f"[{label}]"]
                end = value.end
        return MaskedQuestion(question, "".join([*parts, question[end:]]), tuple(values))

    def spans(self, question: str) -> list[Span]:
        """Return where something looks like a value, in order, without overlaps; known values come before forms."""
        taken: list[Span] = []
        head = question[:MAX_CHARACTERS]
        for start, end in _longest_first(self._known(head)):
            _take(taken, (start, end, "known"))
        for start, end, kind in formed_values(head):
            if kind == "quoted" and (inside := self._known_inside(taken, head, start, end)):
                taken[taken.index(inside)] = (start, end, "known")
            else:
                _take(taken, (start, end, kind))
        return sorted(taken)

    def _known(self, question: str) -> Iterator[tuple[int, int]]:
        if not self._texts:
            return
        for number, start, end in self._automaton.find_matches_as_indexes(folded(question), overlapping=True):
            end += _is_plural(question, end)
            if _is_apart(question, start, end) and self._values[self._texts[number]].is_named_by(question[start:end]):
                yield start, end

    def _known_inside(self, taken: list[Span], question: str, start: int, end: int) -> Span | None:
        """Return the known value that is all a pair of quotes holds."""
        text = question[start:end]
        left, right = start + len(text) - len(text.lstrip(_QUOTES)), end - len(text) + len(text.rstrip(_QUOTES))
        return next((span for span in taken if span == (left, right, "known")), None)

    def known(self, surface: str) -> KnownValue | None:
        """Return what is known of a text as it stands in a question, with or without quotes."""
        text = folded(surface.strip(_QUOTES))
        return self._values.get(folded(surface)) or self._values.get(text) or self._values.get(text.removesuffix("s"))

    def _value(self, question: str, span: Span) -> tuple[FoundValue | None, str]:
        start, end, kind = span
        surface = question[start:end]
        beside = words_beside(question, start, end)
        known = self.known(surface) if kind == "known" else None
        if known is not None:
            columns, label = self._columns(known, beside)
            return FoundValue(start, end, kind, columns, known.spellings), label
        label = self._label_of_form(kind, beside)
        if label is None:
            return None, ""
        return FoundValue(start, end, kind, (), (surface.strip(_QUOTES),)), label

    def _columns(self, known: KnownValue, beside: tuple[str, str]) -> tuple[tuple[str, ...], str]:
        """Return the columns of a known value, likeliest first, and the label of the first."""
        priors: Counter[str] = Counter()
        for column, count in known.columns.items():
            priors[self._labels[column]] += count  # type: ignore[assignment]
        order, _ = self._slots.likeliest(priors, beside)
        columns = sorted(known.columns, key=lambda column: (order.index(self._labels[column]), -known.columns[column]))
        return tuple(columns), order[0]

    def _label_of_form(self, kind: Kind, beside: tuple[str, str]) -> str | None:
        """Return what to write for a value known by its form alone; None for a name that is likelier no value."""
        priors = {NO_VALUE: 0.0, **self._slots.kinds.get(kind, {})}
        if kind in _KIND_WORDS:
            priors = {**self._slots.kinds.get("known", {}), **priors}
        priors[NO_VALUE] += _DOUBT
        order, probability = self._slots.likeliest(priors, beside)
        sure = order[0] != NO_VALUE and probability > _SURE and self._slots.is_seen(order[0], beside)
        if not sure and kind == "name":
            return None
        return order[0] if sure else _KIND_WORDS.get(kind, kind)


def plain_question(question: str) -> str:
    """Return a question as it is masked: composed signs, single blanks."""
    # Half of a character pair, which JSON may carry, is no text to the automaton.
    question = question.encode(errors="replace").decode()
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", question)).strip()


def _is_plural(question: str, end: int) -> bool:
    """Tell whether an s stands between the text that ends here and the end of its word: "cats" for ``cat``."""
    ends_in_letter = question[end - 1].isalpha() and question[end - 1] not in "sS"
    return ends_in_letter and question[end : end + 1] == "s" and not question[end + 1 : end + 2].isalnum()


def _is_apart(question: str, start: int, end: int) -> bool:
    """Tell whether no letter, digit or sign on a letter continues the text on either side."""
    may_touch = end - start > 1  # one sign of Han is a part of too many words
    return not (_continues(question, start, may_touch=may_touch) or _continues(question, end, may_touch=may_touch))


def _continues(question: str, place: int, *, may_touch: bool) -> bool:
    """Tell whether a word goes on across ``place``."""
    before, after = question[place - 1 : place], question[place : place + 1]
    if not (before and after) or not (_is_of_word(before) and _is_of_word(after)):
        return False
    if may_touch and not _is_mark(after):
        return not (_WITHOUT_BLANKS.match(before) or _WITHOUT_BLANKS.match(after))
    return True


def _is_of_word(sign: str) -> bool:
    return sign.isalnum() or _is_mark(sign)


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign) in ("Mn", "Mc")


def _longest_first(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted(set(spans), key=lambda span: (span[0] - span[1], span[0]))


def _take(taken: list[Span], span: Span) -> None:
    """Insert a span in order unless another one overlaps it."""
    place = bisect_left(taken, span)
    clear_before = place == 0 or taken[place - 1][1] <= span[0]
    if clear_before and (place == len(taken) or span[1] <= taken[place][0]):
        taken.insert(place, span)
