"""Flags text that could act when it stands in a model's prompt, for a person to look at.

Nothing here changes a text; removing hidden signs is the task of ``hidden_signs``. It finds what is known; the frame
that ``prompt_context`` puts around examples protects from the rest. Every pattern is bounded, so that time grows with
the length of a text and no faster.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from feedback_pipeline.curation.disguises import decoded, folded, unspaced_words, views, words
from feedback_pipeline.curation.hidden_signs import Normalised
from feedback_pipeline.curation.instruction_phrases import PHRASES, UNSPACED_PHRASES
from feedback_pipeline.curation.prompt_markup import FRAMES, REMOTE

INSTRUCTION_LIKE = "instruction_like"
"""Gives orders to a model: drops its instructions, changes its role, asks for its prompt."""
PROMPT_MARKUP = "prompt_markup"
"""Holds what frames a prompt: signs of chat templates, a role at the start of a line, tags."""
REMOTE_CONTENT = "remote_content"
"""Would make a display fetch something from elsewhere."""
HIDDEN_TEXT = "hidden_text"
"""Held text in invisible signs, which have been removed."""
REORDERED_TEXT = "reordered_text"
"""Held signs that show text in another order than it is read; they have been removed."""

FLAGS = (HIDDEN_TEXT, INSTRUCTION_LIKE, PROMPT_MARKUP, REMOTE_CONTENT, REORDERED_TEXT)

_MAX_DEPTH = 2
_GAP = r"(?: \w+){0,3}"
_UNSPACED_GAP = r"\w{0,24}"
_EVERYDAY = frozenset(
    words(
        "a an all any and as at do dont every for from if im i in is me my of on or select show the to was what when "
        "where who with you your give list name names count number how many which"
    ).split()
)
_MIN_ASIAN = "\u1100"
"""Scripts that do without blanks start here in Unicode."""


def flags_of(normalised: Normalised) -> tuple[str, ...]:
    """Return the flags of a text from which hidden signs were removed, sorted."""
    flags = _flags(normalised.text) | _flags(normalised.hidden)
    if normalised.deliberate:
        flags.add(HIDDEN_TEXT)
    if normalised.reordered:
        flags.add(REORDERED_TEXT)
    return tuple(sorted(flags))


def _flags(text: str, depth: int = 0) -> set[str]:
    if not text:
        return set()
    flags = {flag for flag, found in _LOOKS if found(text)}
    if depth < _MAX_DEPTH:
        for inner in decoded(text):
            flags |= _flags(inner, depth + 1)
    return flags


def is_instruction_like(text: str) -> bool:
    """Tell whether a text, seen through the usual disguises, gives orders to a model."""
    plain = folded(text)
    if any(_says(words(view)) for view in views(plain)):
        return True
    squeezed = unspaced_words(plain)
    if squeezed and _any(_squeezed_phrases(), squeezed):
        return True
    return plain > "" and max(plain) >= _MIN_ASIAN and _any(_asian_phrases(), words(plain).replace(" ", ""))


def holds_prompt_markup(text: str) -> bool:
    """Tell whether a text holds what frames a prompt."""
    return _holds(_compiled(FRAMES), unicodedata.normalize("NFKC", text))


def holds_remote_content(text: str) -> bool:
    """Tell whether a text holds markup that fetches something."""
    return _holds(_compiled(REMOTE), text)


_LOOKS = (
    (INSTRUCTION_LIKE, is_instruction_like),
    (PROMPT_MARKUP, holds_prompt_markup),
    (REMOTE_CONTENT, holds_remote_content),
)


def _says(spoken: str) -> bool:
    """Look only for the phrases of which a telling word occurs at all."""
    by_word = _phrases_by_word()
    candidates = {pattern for word in set(spoken.split()) & by_word.keys() for pattern in by_word[word]}
    return _any(candidates, spoken)


def _any(patterns: Iterable[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)


def _holds(markup: Iterable[tuple[str, re.Pattern[str]]], text: str) -> bool:
    lower = text.lower()
    return any(hint in lower and pattern.search(text) for hint, pattern in markup)


@lru_cache(maxsize=2)
def _compiled(markup: tuple[tuple[str, str], ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((hint, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for hint, pattern in markup)


@lru_cache(maxsize=1)
def _phrases_by_word() -> dict[str, list[re.Pattern[str]]]:
    found: dict[str, list[re.Pattern[str]]] = {}
    for phrase in PHRASES:
        pattern = re.compile(_pattern(phrase, _GAP + " ", " ", r"\b"))
        for word in _telling_words(phrase):
            found.setdefault(word, []).append(pattern)
    return found


def _telling_words(phrase: str) -> set[str]:
    """Return words of which one occurs wherever the phrase does: those of its first group without everyday words."""
    groups = phrase.partition(" ! ")[0].replace(" … ", " + ").split(" + ")
    choices = [{words(folded(choice)).split()[0] for choice in group.split("|")} for group in groups]
    return next((group for group in choices if group.isdisjoint(_EVERYDAY)), choices[0])


@lru_cache(maxsize=1)
def _squeezed_phrases() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(_pattern(phrase, _UNSPACED_GAP, "", "").replace(" ", "")) for phrase in PHRASES)


@lru_cache(maxsize=1)
def _asian_phrases() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(_pattern(phrase, _UNSPACED_GAP, "", "").replace(" ", "")) for phrase in UNSPACED_PHRASES)


def _pattern(phrase: str, gap: str, joint: str, edge: str) -> str:
    """Write a phrase of ``instruction_phrases`` as a regular expression over the words of a text."""
    said, _, excluded = phrase.partition(" ! ")
    parts = [joint.join(_choice(group) for group in part.split(" + ")) for part in said.split(" … ")]
    return edge + gap.join(parts) + edge + (f"(?!{joint}{_choice(excluded)}{edge})" if excluded else "")


def _choice(group: str) -> str:
    return "(?:" + "|".join(words(folded(choice)) for choice in group.split("|")) + ")"
