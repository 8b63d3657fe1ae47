"""Whose fault a thumb down says it is: that of the passages, or of something a better ranking would not change.

A product sends either a code of its own (``wrong_passage``, ``tone``) or what its users wrote. Codes are looked up.
Into prose nothing is read: a sentence counts as blaming the passages, because thumbs without any reason do too, and
because what a model would read into it would decide about labels without anybody having looked.
"""

import re
from collections.abc import Collection, Iterable

from feedback_pipeline.curation.word_sets import split_at_punctuation

_RETRIEVAL = """
    retrieval bad_retrieval poor_retrieval wrong_retrieval retrieval_error retrieval_failure retrieval_miss ranking
    bad_ranking irrelevant not_relevant irrelevant_passage irrelevant_chunk irrelevant_context irrelevant_document
    irrelevant_source irrelevant_result irrelevant_results irrelevant_answer relevance low_relevance wrong_passage
    wrong_source wrong_sources wrong_chunk wrong_context wrong_document wrong_article wrong_page wrong_topic off_topic
    offtopic unrelated not_related missing_context missing_information missing_info missing_source missing_document
    no_context insufficient_context not_helpful unhelpful didnt_help did_not_help not_found nothing_found incomplete
    outdated out_of_date obsolete stale bad_context bad_source bad_sources context source sources
"""
RETRIEVAL_CODES = frozenset(_RETRIEVAL.split())
"""Codes that blame the passages, as ``code_of`` writes them."""

_OTHER = """
    generation hallucination hallucinated made_up fabricated format formatting layout tone style rude language
    translation grammar spelling typo latency slow too_slow timeout speed error bug crash ui ux too_long too_short
    verbose length unsafe safety harmful offensive toxic bias biased privacy refusal refused instruction instructions
    reasoning math calculation sql code opinion duplicate test spam other misclick mistake accident
"""
OTHER_CODES = frozenset(_OTHER.split())
"""Codes known to blame something else. Those in neither list do so too, but may be anybody's own words."""

_MOST_WORDS = 3
"""A reason of more words is a sentence."""

_MOST_PIECES = 2 * _MOST_WORDS
"""So many words may the tokens of a code hold: scripts without blanks write a sentence as one token."""

_BETWEEN_CODES = re.compile(r"[,;|]")
_JOINTS = re.compile(r"[\s_.:/-]+")
_NAMESPACE = re.compile(r"[.:/]")
_EDGES = "_!?\"'’`“”()[]"
_APOSTROPHES = re.compile(r"(?<=\w)['’](?=\w)")


def code_of(text: str) -> str | None:
    """Return a reason as a code, in small letters and joined by ``_``; None for a sentence and for no reason at all.

    One word, words joined by one of ``_ - . : /``, or at most three words are a code.

    Example:
        >>> code_of("Off-Topic!")
        'off_topic'

    """
    if _is_sentence(text.split()):
        return None
    code = _JOINTS.sub("_", _APOSTROPHES.sub("", text.lower())).strip(_EDGES)
    return code if any(letter.isalnum() for letter in code) else None


def blaming_codes(further: Iterable[str] = ()) -> frozenset[str]:
    """Return the codes that blame the passages: RETRIEVAL_CODES and ``further`` ones, written in any way."""
    return RETRIEVAL_CODES.union(filter(None, map(code_of, further)))


def blamed_elsewhere(reason: str | None, blaming: Collection[str] = RETRIEVAL_CODES) -> str | None:
    """Return the code that blames something other than the passages, None where the passages are to blame.

    No reason and any sentence blame them, and so does one code of several (``irrelevant, tone``) that does. Of a code
    in parts (``retrieval.stale_index``) the whole counts, then the first part.

    Args:
        reason: what came with a thumb down.
        blaming: codes that blame the passages (``blaming_codes``).
    """
    parts = _parts(reason or "")
    codes = [code for code in map(code_of, parts) if code]
    return None if not codes or any(_blames(part, blaming) for part in parts) else codes[0]


def _parts(reason: str) -> list[str]:
    """Return the codes of a list of codes; anything else is one part, also a sentence with commas."""
    parts = [part.strip() for part in _BETWEEN_CODES.split(reason)]
    return parts if all(len(part.split()) <= 1 for part in parts) else [reason.strip()]


def _blames(text: str, blaming: Collection[str]) -> bool:
    return code_of(text) in blaming or code_of(_NAMESPACE.split(text)[0]) in blaming


def _is_sentence(tokens: list[str]) -> bool:
    if len(tokens) == 1 and tokens[0].isascii():
        return False
    return len(tokens) > _MOST_WORDS or sum(len(split_at_punctuation(token)) for token in tokens) > _MOST_PIECES
