"""Which interactions and chunks may vote at all."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from feedback_pipeline.reranker.ratings import dropped as because
from feedback_pipeline.reranker.ratings.dropped import Dropped
from feedback_pipeline.reranker.ratings.passages import Passages
from feedback_pipeline.reranker.ratings.queries import Queries
from feedback_pipeline.reranker.ratings.reading import UNSAID, Chunks, Interactions
from feedback_pipeline.reranker.ratings.reasons import OTHER_CODES, blamed_elsewhere
from feedback_pipeline.reranker.ratings.texts import NONE

_SHOWN_FROM = 5
"""A code nobody has told us of is named if so many people sent it: a single person may have written anything."""

_UNKNOWN_CODE = "another code"


def with_a_vote(interactions: Interactions, blaming: Collection[str], dropped: Dropped) -> np.ndarray:
    """Tell which interactions (interactions,) are rated, have chunks, and do not blame something else."""
    rated = interactions.thumb != 0
    dropped.interactions(np.flatnonzero(~rated), because.NO_RATING)
    has_chunks = np.bincount(interactions.chunks.interaction, minlength=len(interactions)) > 0
    dropped.interactions(np.flatnonzero(rated & ~has_chunks), because.NO_CHUNKS)
    return rated & has_chunks & ~_blaming_others(interactions, rated & has_chunks, blaming, dropped)


def with_text(chunks: Chunks, queries: Queries, passages: Passages, max_chars: int, dropped: Dropped) -> Chunks:
    """Return the chunks that are asked about and whose passage can be learned from, each with 1 or 0 for its scope.

    In scope are those that say so, and all of an interaction in which no chunk says anything, be it one without text.
    """
    chunks = chunks.take(queries.of_interaction[chunks.interaction] != NONE)
    blank = passages.of_text[chunks.text] == NONE
    too_long = ~blank & (passages.chars[chunks.text] > max_chars)
    dropped.chunks(chunks, blank, because.WITHOUT_TEXT)
    dropped.chunks(chunks, too_long, because.too_long(max_chars))
    says = np.zeros(len(queries.of_interaction), bool)
    says[chunks.interaction[chunks.scope != UNSAID]] = True
    scope = (chunks.scope == 1) | ~says[chunks.interaction]
    return replace(chunks, scope=scope.astype(np.int8)).take(~blank & ~too_long)


def _blaming_others(
    interactions: Interactions, asked: np.ndarray, blaming: Collection[str], dropped: Dropped
) -> np.ndarray:
    """Tell which of the interactions ``asked`` about are thumbs down whose reason blames no passage."""
    down = np.flatnonzero(asked & (interactions.thumb < 0) & (interactions.reason != NONE))
    reasons, place = np.unique(interactions.reason[down], return_inverse=True)
    codes = [blamed_elsewhere(interactions.reasons[reason], blaming) for reason in reasons]
    named = sorted({code for code in codes if code is not None})
    number = {code: place for place, code in enumerate(named)}
    code = np.array([NONE if code is None else number[code] for code in codes], np.int64)[place]
    down, code = down[code != NONE], code[code != NONE]
    shown = _shown(named, code, interactions.user[down])
    for reason in sorted(set(shown)):
        those = np.array([name == reason for name in shown], bool)
        dropped.interactions(down[those[code]], because.elsewhere(reason))
    found = np.zeros(len(interactions), bool)
    found[down] = True
    return found


def _shown(named: list[str], code: np.ndarray, user: np.ndarray) -> list[str]:
    """Return as what each code is shown: one we do not know may be a single person's own words.

    Args:
        named: the codes.
        code: place of its code for each thumb down (thumbs,).
        user: number of its user, NONE without one; these are as many people as thumbs (thumbs,).
    """
    people = np.where(user == NONE, -1 - np.arange(len(user)), user)
    codes, _ = np.divmod(np.unique(code << 32 | people + len(user)), 1 << 32)
    counts = np.bincount(codes, minlength=len(named))
    return [
        name if name in OTHER_CODES or count >= _SHOWN_FROM else _UNKNOWN_CODE
        for name, count in zip(named, counts.tolist(), strict=True)
    ]
