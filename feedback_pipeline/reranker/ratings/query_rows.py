"""Rows of the canonical reranker table: from numbers back to texts, some rows at a time."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.reranker.ratings.judgements import Judgements
from feedback_pipeline.reranker.ratings.queries import Queries
from feedback_pipeline.reranker.ratings.reading import Interactions
from feedback_pipeline.reranker.ratings.texts import NONE, changes, ranks_of
from feedback_pipeline.schemas import RERANKER_QUERIES

_BATCH_BYTES = 32 << 20
"""Text of passages in a batch, about."""

_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Side:
    """The positives or the negatives of all rows, in the order of rows and heaviest first; columns (passages,).

    Attributes:
        offsets: where those of each row begin, and where the last end (rows + 1,).
        passage: number of the passage.
        weight: what speaks for or against it.
        rank: mean place at which it was surfaced.
        rated: False where it was only surfaced.
        voices: numbers of the interactions that say so, in the order of their ids as text (voices,).
        voice_offsets: where those of each passage begin, and where the last end (passages + 1,).
    """

    offsets: np.ndarray
    passage: np.ndarray
    weight: np.ndarray
    rank: np.ndarray
    rated: np.ndarray
    voices: np.ndarray
    voice_offsets: np.ndarray

    def strongest(self) -> np.ndarray:
        """Return the heaviest weight of each row (rows,), 0 where there is none."""
        first = np.append(self.weight, 0.0)[self.offsets[:-1]]
        return np.where(np.diff(self.offsets) > 0, first, 0.0)

    def sizes(self) -> np.ndarray:
        """Return how many passages each row has (rows,)."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class QueryRows:
    """Everything the rows of schemas.RERANKER_QUERIES consist of; columns of shape (rows,) unless said otherwise.

    Attributes:
        row_ids: ascending.
        query: the safe text that most voices spelled.
        source: the knowledge base.
        cluster: place of the row that the cluster is named after.
        positives: the passages that helped.
        negatives: those that did not.
        contributors: distinct users, all without one counting as one.
        interactions: numbers of all interactions behind each row, as ``Side.voices`` are (interactions,).
        interaction_offsets: where those of each row begin, and where the last end (rows + 1,).
        ids: interaction ids as text, in order.
        texts: of the passages.
    """

    row_ids: pa.Array
    query: pa.Array
    source: pa.Array
    cluster: np.ndarray
    positives: Side
    negatives: Side
    contributors: np.ndarray
    interactions: np.ndarray
    interaction_offsets: np.ndarray
    ids: pa.Array
    texts: pa.Array

    def __len__(self) -> int:
        return len(self.row_ids)

    def weights(self) -> np.ndarray:
        """Return the weight of each row: at most 1, and 0 where one side is empty."""
        return np.minimum(1.0, np.minimum(self.positives.strongest(), self.negatives.strongest()))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows as record batches of schemas.RERANKER_QUERIES, so large that they fit beside each other.

        A passage stands in as many rows as it was rated for, so all rows together may be many times what is in memory.
        """
        lengths = pc.binary_length(self.texts).to_numpy()
        ends = np.zeros(len(self) + 1, np.int64)
        for side in (self.positives, self.negatives):
            ends += np.append(0, np.cumsum(lengths[side.passage]))[side.offsets]
        cuts = np.flatnonzero(np.diff(ends[1:] // _BATCH_BYTES)) + 1
        for start, end in pairwise([0, *cuts.tolist(), len(self)]):
            yield self._batch(start, end)

    def _batch(self, start: int, end: int) -> pa.RecordBatch:
        columns = {
            "row_id": self.row_ids.slice(start, end - start),
            "query": self.query.slice(start, end - start),
            "source": self.source.slice(start, end - start),
            "cluster_id": self.row_ids.take(pa.array(self.cluster[start:end])),
            "weight": pa.array(self.weights()[start:end]),
            "contributors": pa.array(self.contributors[start:end].astype(np.int32)),
            "interaction_ids": self._listed_ids(self.interactions, self.interaction_offsets[start : end + 1]),
            **self._side("positive", self.positives, start, end),
            **self._side("negative", self.negatives, start, end),
        }
        columns["negative_origins"] = self._origins(start, end)
        arrays = [columns[name] for name in RERANKER_QUERIES.names]
        return pa.RecordBatch.from_arrays(arrays, schema=RERANKER_QUERIES)

    def _side(self, name: str, side: Side, start: int, end: int) -> dict[str, pa.Array]:
        bounds = side.offsets[start : end + 1]
        part = slice(bounds[0], bounds[-1])
        said_by = self._listed_ids(side.voices, side.voice_offsets[bounds[0] : bounds[-1] + 1])
        return {
            f"{name}s": _lists(bounds, self.texts.take(pa.array(side.passage[part])).cast(pa.string())),
            f"{name}_weights": _lists(bounds, pa.array(side.weight[part])),
            f"{name}_ranks": _lists(bounds, pa.array(side.rank[part])),
            f"{name}_interactions": _lists(bounds, said_by),
        }

    def _origins(self, start: int, end: int) -> pa.Array:
        bounds = self.negatives.offsets[start : end + 1]
        rated = self.negatives.rated[bounds[0] : bounds[-1]]
        return _lists(bounds, pa.array(np.where(rated, "rated", "surfaced").tolist(), pa.string()))

    def _listed_ids(self, numbers: np.ndarray, bounds: np.ndarray) -> pa.Array:
        return _lists(bounds, self.ids.take(pa.array(numbers[bounds[0] : bounds[-1]])))


def _lists(bounds: np.ndarray, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array((bounds - bounds[0]).astype(np.int32)), values)


def query_rows(interactions: Interactions, queries: Queries, judged: Judgements, texts: pa.Array) -> QueryRows:
    """Return the rows that judgements give; ``texts`` are those of the passages."""
    names = pa.array(interactions.ids).cast(pa.string())
    query, row = np.unique(judged.query, return_inverse=True)
    told = _Told(len(query), row, judged, interactions, ranks_of(names), ranks_of(texts))
    behind, behind_offsets = told.interactions()
    first = np.full(len(queries), len(query))
    np.minimum.at(first, judged.cluster[query], np.arange(len(query)))
    return QueryRows(
        row_ids=pa.array([queries.row_ids[number] for number in query], pa.string()),
        query=pa.array([queries.spellings[number] for number in told.spellings(queries)], pa.string()),
        source=pa.array(interactions.sources, pa.string()).take(pa.array(queries.source[query])),
        cluster=first[judged.cluster[query]],
        positives=told.side(judged.positive),
        negatives=told.side(~judged.positive),
        contributors=told.contributors(),
        interactions=behind,
        interaction_offsets=behind_offsets,
        ids=names.take(pa.array(np.argsort(told.id_rank))),
        texts=texts,
    )


@dataclass(frozen=True)
class _Told:
    """What judgements tell of each row.

    Attributes:
        rows: how many there are.
        row: of each pair (pairs,).
        judged: the pairs.
        source: what they come from.
        id_rank: place of each interaction's id among all as text (interactions,).
        text_rank: place of each passage's text among all (passages,).
    """

    rows: int
    row: np.ndarray
    judged: Judgements
    source: Interactions
    id_rank: np.ndarray
    text_rank: np.ndarray

    def side(self, which: np.ndarray) -> Side:
        judged, chosen = self.judged, np.flatnonzero(which)
        by = (self.text_rank[judged.passage[chosen]], -judged.weight[chosen], self.row[chosen])
        order = chosen[np.lexsort(by)]
        place = np.full(len(judged), NONE)
        place[order] = np.arange(len(order))
        of_vote = self._spread(place)
        agreeing = np.flatnonzero(judged.agrees & (of_vote != NONE))
        keys = np.sort(of_vote[agreeing] << 32 | self.id_rank[judged.votes.interaction[agreeing]])
        return Side(
            offsets=_offsets(self.row[order], self.rows),
            passage=judged.passage[order],
            weight=judged.weight[order],
            rank=judged.rank[order],
            rated=judged.rated[order],
            voices=keys & _LOW,
            voice_offsets=_offsets(keys >> 32, len(order)),
        )

    def interactions(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the interactions behind each row, without repeats, and where those of each row begin."""
        keys = np.unique(self._spread(self.row) << 32 | self.id_rank[self.judged.votes.interaction])
        return keys & _LOW, _offsets(keys >> 32, self.rows)

    def contributors(self) -> np.ndarray:
        users = np.minimum(self.judged.votes.voice, len(self.source.users))
        keys = np.unique(self._spread(self.row) << 32 | users)
        return np.bincount(keys >> 32, minlength=self.rows)

    def spellings(self, queries: Queries) -> np.ndarray:
        """Return the number of the text that most voices of each row spelled, the smallest of several (rows,)."""
        votes, row = self.judged.votes, self._spread(self.row)
        voices = _distinct(row, queries.spelling[votes.interaction], votes.voice)
        row, spelling, _ = voices
        starts = np.flatnonzero(changes(row) | changes(spelling))
        row, spelling, counts = row[starts], spelling[starts], np.diff(starts, append=len(row))
        order = np.lexsort((spelling, -counts, row))
        return spelling[order[changes(row[order])]]

    def _spread(self, values: np.ndarray) -> np.ndarray:
        """Return for each vote the value of its pair."""
        return np.repeat(values, np.diff(self.judged.starts))


def _distinct(*columns: np.ndarray) -> list[np.ndarray]:
    """Return the distinct rows of the columns, ordered by the first, then the second, and so on."""
    order = np.lexsort(columns[::-1])
    ordered = [column[order] for column in columns]
    new = np.logical_or.reduce([changes(column) for column in ordered])
    return [column[new] for column in ordered]


def _offsets(groups: np.ndarray, count: int) -> np.ndarray:
    """Return where each of ``count`` groups, in order, begins and where the last ends (count + 1,)."""
    return np.searchsorted(groups, np.arange(count + 1))
