"""Judgements: what all votes on a passage of a query come to, and which of them contradict each other.

A vote weighs 1 / log2(1 + place): whoever rates an answer has the first passages in mind. It weighs less if its user
holds more than their share of all votes (``curation.weighting``). What is for a passage and what is against it is set
off; of passages only surfaced beside others, little is known, so they count a part of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feedback_pipeline.curation.weighting import UserWeights, user_weights
from feedback_pipeline.reranker.ratings import dropped as reasons
from feedback_pipeline.reranker.ratings.dropped import Dropped
from feedback_pipeline.reranker.ratings.queries import Queries
from feedback_pipeline.reranker.ratings.reading import Chunks
from feedback_pipeline.reranker.ratings.votes import Votes

_UNITS = 10**9
"""Weights are summed as whole billionths: sums of floats would depend on the order of rows."""


@dataclass(frozen=True)
class Judgements:
    """Pairs of query and passage that are left, ordered by both; columns of shape (pairs,) unless said otherwise.

    Attributes:
        query: number of the question.
        passage: number of the passage.
        positive: whether the votes are for it.
        rated: whether anybody rated it, rather than that it was surfaced beside what was rated.
        weight: what speaks for that, above 0.
        rank: mean place at which it was surfaced, over all votes on it.
        votes: all votes on these pairs, in order of the pairs.
        starts: where the votes of each pair begin, and where the last end (pairs + 1,).
        agrees: whether a vote is what the pair came to (votes,).
        cluster: number of its cluster for each question (queries,).
    """

    query: np.ndarray
    passage: np.ndarray
    positive: np.ndarray
    rated: np.ndarray
    weight: np.ndarray
    rank: np.ndarray
    votes: Votes
    starts: np.ndarray
    agrees: np.ndarray
    cluster: np.ndarray

    def __len__(self) -> int:
        return len(self.query)


def user_shares(votes: Votes, users: list[str], max_user_share: float) -> UserWeights:
    """Return what a voice of each user counts; a voice is a passage of a query that the user has voted on."""
    counts = np.bincount(np.minimum(votes.voice, len(users)), minlength=len(users) + 1).tolist()
    voices: dict[str | None, int] = {user: count for user, count in zip(users, counts, strict=False) if count}
    return user_weights(voices | ({None: counts[-1]} if counts[-1] else {}), max_user_share)


def vote_units(
    votes: Votes, places: np.ndarray, users: list[str], shares: UserWeights, surfaced_weight: float
) -> np.ndarray:
    """Return the weight of each vote in billionths (votes,).

    Args:
        votes: of which the weights are asked for.
        places: at which the passage of each vote was surfaced, 1 being the first (votes,).
        users: hashes in the order of their numbers.
        shares: what a voice of each user counts.
        surfaced_weight: what a passage counts that was only surfaced.
    """
    factors = np.ones(len(users) + 1)
    if shares.factors:
        factors[:-1] = [shares.factors.get(user, 1.0) for user in users]
    weight = factors[np.minimum(votes.voice, len(users))] / np.log2(1 + places)
    return np.rint(_UNITS * weight * np.where(votes.direct, 1.0, surfaced_weight)).astype(np.int64)


def judge(votes: Votes, units: np.ndarray, chunks: Chunks, queries: Queries, dropped: Dropped) -> Judgements:
    """Return what votes come to; ``units`` are their weights. Outvoted and contradicted votes go to ``dropped``."""
    starts = votes.pairs()
    sizes = np.diff(starts, append=len(votes))
    verdict = _verdicts(votes, units, starts)
    of_vote = np.repeat(verdict, sizes)
    _drop_outvoted(votes, of_vote, chunks, dropped)
    clusters = queries.clusters(_asked(votes.query[starts[verdict != 0]], len(queries)))
    contradicted = _contradicted(clusters[votes.query[starts]], votes.passage[starts], verdict)
    out = np.repeat(contradicted, sizes)
    dropped.chunks(chunks, votes.chunk[out & (votes.sign < 0)], reasons.POSITIVE_NEARBY)
    left = (of_vote != 0) & ~out & (votes.direct | (of_vote < 0))
    return _judgements(votes.take(left), units[left], chunks, verdict[(verdict != 0) & ~contradicted], clusters)


def _verdicts(votes: Votes, units: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return 1 for each pair that more was voted for than against, -1 for the others, and 0 for a tie (pairs,)."""
    rated = _sums(votes.direct, starts) > 0
    return np.where(rated, np.sign(_sums(np.where(votes.direct, units * votes.sign, 0), starts)), -1)


def _asked(queries: np.ndarray, count: int) -> np.ndarray:
    asked = np.zeros(count, bool)
    asked[queries] = True
    return asked


def _drop_outvoted(votes: Votes, verdict: np.ndarray, chunks: Chunks, dropped: Dropped) -> None:
    surfaced_only = ~votes.direct & (verdict > 0)
    dropped.chunks(chunks, votes.chunk[(votes.sign != verdict) & ~surfaced_only], reasons.DISAGREE)
    dropped.chunks(chunks, votes.chunk[surfaced_only], reasons.POSITIVE)


def _contradicted(cluster: np.ndarray, passage: np.ndarray, verdict: np.ndarray) -> np.ndarray:
    """Tell which pairs speak against a passage that helped with a near-duplicate of the question."""
    key = cluster.astype(np.int64) << 32 | passage
    return (verdict < 0) & np.isin(key, key[verdict > 0])


def _judgements(
    votes: Votes, units: np.ndarray, chunks: Chunks, verdict: np.ndarray, clusters: np.ndarray
) -> Judgements:
    starts = votes.pairs()
    sizes = np.diff(starts, append=len(votes))
    weight = _sums(units * votes.sign, starts) * verdict
    return Judgements(
        query=votes.query[starts],
        passage=votes.passage[starts],
        positive=verdict > 0,
        rated=_sums(votes.direct, starts) > 0,
        weight=weight / _UNITS,
        rank=_sums(chunks.place[votes.chunk], starts) / np.maximum(sizes, 1),
        votes=votes,
        starts=np.append(starts, len(votes)),
        agrees=votes.sign == np.repeat(verdict, sizes),
        cluster=clusters,
    )


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values.astype(np.int64), starts) if len(starts) else np.zeros(0, np.int64)
