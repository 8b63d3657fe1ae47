"""The shape of a question: its words in order, with a slot where a value stands."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from feedback_pipeline.masking.found import MaskedQuestion

SLOT = "\0"
"""Stands for a value; no word can be it."""

_REMEMBERED = 4_096
_TOKEN = re.compile(r"\w+|[^\w\s]")
_QUOTES = frozenset("'\"`´’‘“”„«»")
"""What a question may have or not. Any other sign counts: "name, age" is more than "age", "!= 5" is not "= 5"."""
_AT_THE_END = " .:?!'\"`´’‘“”„«»"
_CLOSING = re.compile(r"[.:?]+(?=[\s!'\"`´’”»)])|(?<=[\w\0.:?!'\"`´’”»)])!+(?=[\s'\"`´’”»)])(?!\s*[<>=≠≤≥!])")
"""Marks that end a sentence or a part of it; a "!" that stands before something may negate it."""
_SILENT = {
    *("a", "an", "the", "is", "are", "was", "were", "be", "do", "does", "did"),
    *("that", "there", "which", "what", "please"),
}
"""Words, in English, that may be left out anywhere: none of them counts, limits, orders, negates or names anything."""
_ASKING = {
    *_SILENT,
    *("i", "we", "you", "me", "us", "can", "could", "would", "will", "want", "need", "like", "know"),
    *("tell", "give", "find", "get", "all", "also"),
}
"""Words that may be left out where a question begins; further on "all" or "like" may be what it is about."""
_ASKING_OR_NOUN = {"list", "show", "name", "display", "return"}
"""The same where such a word follows: "list the prices", but not "list prices"."""


@lru_cache(maxsize=_REMEMBERED)
def shape_of(masked: MaskedQuestion) -> tuple[str, ...]:
    """Return the words of a question that matter, in order, each value as ``SLOT``."""
    tokens = _tokens(masked)
    return tuple(word for word in tokens[_end_of_asking(tokens) :] if word not in _SILENT)


def _end_of_asking(tokens: Sequence[str]) -> int:
    for place, (word, following) in enumerate(pairwise([*tokens, ""])):
        if word not in _ASKING and not (word in _ASKING_OR_NOUN and following in _ASKING):
            return place
    return len(tokens)


def _tokens(masked: MaskedQuestion) -> list[str]:
    parts: list[str] = []
    place = 0
    for value in masked.values:
        parts.append(masked.question[place : value.start])
        place = value.end
    # Joined before it is read: whether a mark closes something depends on what follows, values too.
    return words_of(SLOT.join(part.replace(SLOT, "\ufffd") for part in [*parts, masked.question[place:]]))


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text without regard to case, quotes and closing marks left out."""
    folded = unicodedata.normalize("NFKC", text).casefold().rstrip(_AT_THE_END)
    return [token for token in _TOKEN.findall(_CLOSING.sub(" ", folded)) if token not in _QUOTES]


def labels_of_slots(masked: MaskedQuestion) -> list[str]:
    """Return what the masked text has in the place of each value, such as ``state name``; empty where nothing."""
    labels: list[str] = []
    starts = [value.start for value in masked.values[1:]]
    shift = 0
    for value, following in zip(masked.values, [*starts, len(masked.question)], strict=False):
        start = value.start + shift
        end = masked.text.find("]" + masked.question[value.end : following], start)
        labels.append(masked.text[start + 1 : end] if end > start else "")
        shift = end + 1 - value.end
    return labels
