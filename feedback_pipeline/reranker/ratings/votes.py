"""Votes: what each interaction's thumb says of the passages it surfaced, of one voice on one passage only the latest.

A thumb up speaks for the chunks in scope, and faintly against those out of it that were surfaced beside them. A thumb
down speaks against the chunks in scope.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from feedback_pipeline.reranker.ratings import dropped as reasons
from feedback_pipeline.reranker.ratings.dropped import Dropped
from feedback_pipeline.reranker.ratings.passages import Passages
from feedback_pipeline.reranker.ratings.queries import Queries
from feedback_pipeline.reranker.ratings.reading import Chunks, Interactions
from feedback_pipeline.reranker.ratings.texts import NONE, changes


@dataclass(frozen=True)
class Votes:
    """Columns of shape (votes,), ordered by query, passage and voice; each of these three only once.

    Attributes:
        query: number of the question.
        passage: number of the passage.
        voice: who speaks: the number of the user, or of an interaction without one, above those of all users.
        interaction: place of the interaction that the vote rests on.
        chunk: place of the chunk that it rests on.
        sign: 1 for a passage, -1 against it.
        direct: False where the passage was only surfaced beside what a thumb up is for.
    """

    query: np.ndarray
    passage: np.ndarray
    voice: np.ndarray
    interaction: np.ndarray
    chunk: np.ndarray
    sign: np.ndarray
    direct: np.ndarray

    def __len__(self) -> int:
        return len(self.query)

    def take(self, which: np.ndarray) -> Votes:
        """Return those that a mask or places choose."""
        return Votes(*(getattr(self, one.name)[which] for one in fields(self)))

    def pairs(self) -> np.ndarray:
        """Return where the votes on each pair of query and passage begin."""
        return np.flatnonzero(changes(self.query) | changes(self.passage))


def cast_votes(
    interactions: Interactions, chunks: Chunks, queries: Queries, passages: Passages, dropped: Dropped
) -> Votes:
    """Return the votes of chunks that may vote (``eligible.with_text``); what does not count goes to ``dropped``."""
    in_scope = chunks.scope == 1
    up = interactions.thumb[chunks.interaction] > 0
    dropped.chunks(chunks, ~up & ~in_scope, reasons.OUT_OF_SCOPE)
    chunk = np.flatnonzero(up | in_scope)
    chunk = chunk[_once_per_interaction(chunks, chunk, in_scope, passages)]
    interaction = chunks.interaction[chunk]
    user = interactions.user[interaction]
    votes = Votes(
        query=queries.of_interaction[interaction],
        passage=passages.of_text[chunks.text[chunk]],
        voice=np.where(user == NONE, len(interactions.users) + interaction, user).astype(np.int32),
        interaction=interaction,
        chunk=chunk,
        sign=np.where(up[chunk] & in_scope[chunk], 1, -1).astype(np.int8),
        direct=in_scope[chunk],
    )
    return _latest(votes, interactions.moment[interaction], chunks, dropped)


def _once_per_interaction(
    chunks: Chunks, chosen: np.ndarray, in_scope: np.ndarray, passages: Passages
) -> np.ndarray | slice:
    """Return which of the ``chosen`` chunks stand for their passage in their interaction.

    Of one passage under several ids that is the one in scope, then the one surfaced first.
    """
    passage = passages.of_text[chunks.text[chosen]]
    key = chunks.interaction[chosen].astype(np.int64) * max(len(passages), 1) + passage
    ordered = np.sort(key)
    if not (ordered[1:] == ordered[:-1]).any():
        return slice(None)
    order = np.lexsort((chunks.place[chosen], ~in_scope[chosen], key))
    return np.sort(order[changes(key[order])])


def _latest(votes: Votes, moment: np.ndarray, chunks: Chunks, dropped: Dropped) -> Votes:
    """Return the votes that count of each voice on each passage of a query: the latest, and direct ones first."""
    late = votes.direct.astype(np.int64) << 40 | moment
    pair = votes.query.astype(np.int64) << 32 | votes.passage
    votes = votes.take(order := np.lexsort((late, votes.voice, pair)))
    last = np.append((changes(votes.voice) | changes(pair[order]))[1:], True)[: len(votes)]
    standing = np.flatnonzero(last)
    overruled = votes.take(~last)
    by_direct = votes.direct[standing[np.searchsorted(standing, np.flatnonzero(~last))]]
    rated_itself = ~overruled.direct & by_direct
    dropped.chunks(chunks, overruled.chunk[rated_itself], reasons.RATED_ITSELF)
    dropped.chunks(chunks, overruled.chunk[~rated_itself], reasons.SUPERSEDED)
    return votes.take(last)
