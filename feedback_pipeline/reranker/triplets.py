"""From rated interactions to what users' thumbs say of the passages of each question: the rows triplets are made of.

The journey: interactions are read batch by batch (``reading``), what cannot vote is left out (``eligible``), questions
are made safe and joined (``queries``), chunks become votes (``votes``), votes become judgements (``judgements``), and
judgements rows (``query_rows``). Texts are numbers all the way; nothing loops over chunks in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.curation.weighting import UserWeights
from feedback_pipeline.reranker.ratings.dropped import Dropped
from feedback_pipeline.reranker.ratings.effective import Voices, voices_of
from feedback_pipeline.reranker.ratings.eligible import with_a_vote, with_text
from feedback_pipeline.reranker.ratings.judgements import Judgements, judge, user_shares, vote_units
from feedback_pipeline.reranker.ratings.passages import distinct_passages, kept_texts
from feedback_pipeline.reranker.ratings.queries import Clean, Queries, distinct_queries, safe_queries
from feedback_pipeline.reranker.ratings.query_rows import QueryRows, query_rows
from feedback_pipeline.reranker.ratings.reading import Interactions, Report, read_interactions
from feedback_pipeline.reranker.ratings.reasons import blaming_codes
from feedback_pipeline.reranker.ratings.votes import Votes, cast_votes
from feedback_pipeline.schemas import RERANKER_QUERIES, require

SURFACED_WEIGHT = 0.25
"""What a passage counts that was out of scope beside a thumb up, of what one counts that was rated."""


def _silently(_what: str, _done: int, _total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class TripletPolicy:
    """How ratings are read.

    Attributes:
        retrieval_reasons: further reason codes of thumbs down that blame the passages (``reasons``).
        max_passage_chars: passages of more characters are left out.
        max_user_share: nobody's votes weigh more than this share of all (``curation.weighting``).
        surfaced_weight: what a passage counts that was only surfaced beside what was rated.
    """

    retrieval_reasons: frozenset[str] = frozenset()
    max_passage_chars: int = 20_000
    max_user_share: float = 0.25
    surfaced_weight: float = SURFACED_WEIGHT


@dataclass(frozen=True)
class TripletResult:
    """What ratings came to.

    Attributes:
        query_rows: the rows, their texts still numbers.
        dropped: what became nothing, and why (schemas.RERANKER_DROPPED), ordered.
        counts: what was read and made, as plain JSON types.
        users: each user's share of all votes.
        voices: who has made triplets of what.
        max_user_share: that of the policy.
    """

    query_rows: QueryRows
    dropped: pa.Table
    counts: dict[str, Any]
    users: UserWeights
    voices: Voices
    max_user_share: float

    @cached_property
    def rows(self) -> pa.Table:
        """All rows (schemas.RERANKER_QUERIES), ordered by ``row_id``.

        Each row holds the texts of its passages: where many rows share passages, ``batches`` needs far less memory.
        """
        table = pa.Table.from_batches(self.batches(), RERANKER_QUERIES)
        return require(table, RERANKER_QUERIES, "reranker_triplets")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the same rows in parts of some 32 MB."""
        return self.query_rows.batches()


def build_triplets(
    interactions: Iterable[pa.Table],
    policy: TripletPolicy,
    clean: Clean | None = None,
    report: Report = _silently,
) -> TripletResult:
    """Return what the ratings of interactions say of the passages they surfaced.

    Neither the order of tables and rows nor how they are dealt out over tables changes the result. Of what is read,
    memory holds each distinct text once and about 100 bytes per chunk of a rated interaction.

    Args:
        interactions: tables of schemas.RAW_INTERACTIONS (``reading.COLUMNS`` are enough), such as the stored days; an
            interaction may stand in several. They are consumed one by one.
        policy: how ratings are read.
        clean: makes questions safe, each distinct one once; by default ``safe_queries``.
        report: is told what is being done.

    Raises:
        ContractError: a table lacks a column.
    """
    dropped = Dropped()
    read = read_interactions(interactions, report)
    voting = with_a_vote(read, blaming_codes(policy.retrieval_reasons), dropped)
    report("making questions safe", 0, len(read.queries))
    queries = distinct_queries(read, voting, clean or safe_queries, dropped)
    passages = distinct_passages(read.texts)
    chunks = with_text(read.chunks, queries, passages, policy.max_passage_chars, dropped)
    report("counting votes", 0, len(chunks))
    votes = cast_votes(read, chunks, queries, passages, dropped)
    users = user_shares(votes, read.users, policy.max_user_share)
    units = vote_units(votes, chunks.place[votes.chunk], read.users, users, policy.surfaced_weight)
    judged = judge(votes, units, chunks, queries, dropped)
    texts = kept_texts(read.texts, passages, chunks.text[judged.votes.chunk])
    report("making rows", 0, len(judged))
    rows = query_rows(read, queries, judged, texts)
    counts = _counts(read, votes, users, rows, dropped)
    voices = _voices(read, queries, judged)
    return TripletResult(rows, dropped.table(read.ids), counts, users, voices, policy.max_user_share)


def effective_voices(result: TripletResult) -> np.ndarray:
    """Return the keys (voices,) of the users and questions that make triplets: uint64, ascending, without repeats.

    To be kept with a training, so that ``effective_triplets`` can tell what is new since. A key follows from user,
    source and canonical question alone, so it stays what it is when clusters change.
    """
    return result.voices.keys


def effective_triplets(result: TripletResult, trained: np.ndarray | None = None) -> int:
    """Return the number of effective triplets: distinct pairs of a user and a cluster of near-duplicate questions.

    Only questions with both good and bad passages count. One user who votes ten thousand times on one question counts
    once, all votes without a user count as those of one user, and no user counts for more than the policy's
    ``max_user_share`` of the total.

    Args:
        result: of ``build_triplets``.
        trained: ``effective_voices`` at the last training, to count only what is new; a user who was heard then on any
            question of a cluster says nothing new about it.
    """
    return result.voices.count(trained, max_user_share=result.max_user_share)


def _voices(read: Interactions, queries: Queries, judged: Judgements) -> Voices:
    """Return who stands behind judgements on questions that have both good and bad passages."""
    sides = np.zeros((2, len(queries)), bool)
    sides[judged.positive.astype(np.int8), judged.query] = True
    has_both = np.logical_and(*sides)
    chosen = judged.agrees & has_both[judged.votes.query]
    votes = judged.votes.take(chosen)
    return voices_of(queries.row_ids, read.users, judged.cluster, votes.query, votes.voice)


def _counts(read: Interactions, votes: Votes, users: UserWeights, rows: QueryRows, dropped: Dropped) -> dict[str, Any]:
    positives, negatives = rows.positives.sizes(), rows.negatives.sizes()
    return {
        "interactions": len(read),
        "rated": int(np.count_nonzero(read.thumb)),
        "voices": len(votes),
        "users": sum(share.user is not None for share in users.shares),
        "largest_user_share_before": round(users.largest_before, 4),
        "largest_user_share_after": round(users.largest_after, 4),
        "dropped": dropped.counts(),
        "rows": len(rows),
        "rows_with_both_sides": int(np.count_nonzero(positives * negatives)),
        "clusters": len(np.unique(rows.cluster)),
        "positives": int(positives.sum()),
        "negatives": int(negatives.sum()),
        "triplets": int((positives * negatives).sum()),
    }
