"""Learns the values of a database from its verified questions and SQL, and from a sample of its text columns."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import nsmallest
from typing import Protocol

from feedback_pipeline.masking.dictionary import KnownValue, ValueDictionary, folded, labels_of
from feedback_pipeline.masking.masker import QuestionMasker, plain_question
from feedback_pipeline.masking.slots import NO_VALUE, SlotModel, words_beside

_SHORTEST = 2
_MOST_OBSERVED = 1_024
_SAMPLED = 0.5
"""A value of the sample counts half as much as one that a verified query uses."""
_DOUBTFUL_BELOW = 4
"""Shorter texts that no query uses are only taken for values where they are spelt to the letter: IN, ME, OK."""


class Literal(Protocol):
    """A literal of a query, as ``curation.sql_values`` finds it."""

    @property
    def text(self) -> str:
        """Its value, unescaped."""
        ...

    @property
    def kind(self) -> str:
        """``text`` or ``number``."""
        ...

    @property
    def column(self) -> str | None:
        """What it is compared with."""
        ...


@dataclass
class _Counts:
    spellings: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    in_sql: bool = False
    used: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)


def learn(
    examples: Iterable[tuple[str, Sequence[Literal]]],
    sampled: Iterable[tuple[str, str]] = (),
    common_words: frozenset[str] = frozenset(),
) -> ValueDictionary:
    """Return what the verified questions of one database teach about its values.

    Args:
        examples: questions and the literals of their SQL.
        sampled: (text, ``table.column``) from the database itself.
        common_words: texts that no question means as a value unless a query says so or they are spelt to the letter.

    """
    pairs = list(examples)
    counts = _counted(pairs, sampled)
    labels = labels_of({one.column for _, literals in pairs for one in literals if one.column} | _columns(counts))
    everything = QuestionMasker(ValueDictionary({text: _plain(found) for text, found in counts.items()}, labels))
    slots = SlotModel()
    for question, literals in _observed(pairs):
        _note_question(everything, counts, slots, question, _labels_by_text(literals, labels))
    slots.settle()
    judged = {text: _judged(text, found, common_words) for text, found in sorted(counts.items())}
    return ValueDictionary(judged, labels, slots)


def _observed(pairs: Sequence[tuple[str, Sequence[Literal]]]) -> Sequence[tuple[str, Sequence[Literal]]]:
    """Return the pairs whose words are looked at: of very many some, always the same ones, tell as much."""
    if len(pairs) <= _MOST_OBSERVED:
        return pairs
    return nsmallest(_MOST_OBSERVED, pairs, key=lambda pair: blake2b(pair[0].encode(errors="replace")).digest())


def _counted(pairs: Sequence[tuple[str, Sequence[Literal]]], sampled: Iterable[tuple[str, str]]) -> dict[str, _Counts]:
    counts: dict[str, _Counts] = defaultdict(_Counts)
    for text, column in sampled:
        if len(text := text.strip()) >= _SHORTEST and not _is_number(text):
            _add(counts[folded(text)], text, column, _SAMPLED)
    for _, literals in pairs:
        for text, kind, column in sorted({(one.text.strip(), one.kind, one.column or "") for one in literals}):
            if kind == "text" and column and len(text) >= _SHORTEST and not _is_number(text):
                _add(counts[folded(text)], text, column, 1.0)
                counts[folded(text)].in_sql = True
    return counts


def _add(found: _Counts, text: str, column: str, weight: float) -> None:
    found.spellings[text] += weight  # type: ignore[assignment]
    found.columns[column] += weight  # type: ignore[assignment]


def _plain(found: _Counts) -> KnownValue:
    return KnownValue(tuple(found.spellings), dict(found.columns))


def _columns(counts: Mapping[str, _Counts]) -> set[str]:
    return {column for found in counts.values() for column in found.columns}


def _labels_by_text(literals: Sequence[Literal], labels: Mapping[str, str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in literals:
        if one.column:
            found[_plain_number(folded(one.text.strip()))][labels[one.column]] += 1
    return found


def _note_question(
    masker: QuestionMasker,
    counts: dict[str, _Counts],
    slots: SlotModel,
    question: str,
    labels_by_text: Mapping[str, Counter[str]],
) -> None:
    question = plain_question(question)
    for start, end, kind in masker.spans(question):
        surface = question[start:end].strip(" \"'“”‘’«»„`")
        text = folded(surface) if kind != "known" or folded(surface) in counts else folded(surface).removesuffix("s")
        labels = labels_by_text.get(_plain_number(text))
        if kind == "known":
            counts[text].used[surface] += labels is not None
            counts[text].unused[surface] += labels is None
        if labels or kind != "known":
            slots.note(kind, labels or {NO_VALUE: 1.0}, words_beside(question, start, end))


def _judged(text: str, found: _Counts, common_words: frozenset[str]) -> KnownValue:
    """Decide when a text in a question is this value: where verified questions used it so more often than not."""
    used, unused = found.used.total(), found.unused.total()
    doubtful = not found.in_sql and (len(text) < _DOUBTFUL_BELOW or text in common_words)
    is_value = used >= unused and not (doubtful and used == 0)
    if used == unused == 0 and found.in_sql and text in common_words:
        is_value = False
    exceptions = {
        surface
        for surface in found.used.keys() | found.unused.keys()
        if (found.used[surface] >= found.unused[surface]) != is_value
    }
    if not is_value and unused == 0:
        exceptions |= {spelling for spelling in found.spellings if spelling != folded(spelling)}
    spellings = sorted(found.spellings, key=lambda spelling: (-found.spellings[spelling], spelling))
    return KnownValue(tuple(spellings), dict(sorted(found.columns.items())), is_value, frozenset(exceptions))


def _plain_number(text: str) -> str:
    plain = text.replace(",", "")
    return plain if _is_number(plain) else text


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace(",", "").lstrip("+-").isdigit()
