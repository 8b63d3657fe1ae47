"""Rated interactions as columns of numbers: read batch by batch, so that texts of a batch can be forgotten."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.reranker.ratings.texts import NONE, TextNumbers, ranks_of
from feedback_pipeline.schemas import RAW_INTERACTIONS, TIMESTAMP, ContractError

COLUMNS = (
    "interaction_id",
    "kind",
    "database_id",
    "natural_query",
    "user_hash",
    "feedback",
    "feedback_reason",
    "rated_at",
    "chunks",
)
"""The columns of schemas.RAW_INTERACTIONS that are looked at."""

UNSAID = -1
"""Stands for a scope of which nothing is said, and for a rank that is not there."""

_TEXT_COLUMNS = {
    "user": "user_hash",
    "query": "natural_query",
    "source": "database_id",
    "reason": "feedback_reason",
}
_EARLIEST = -(2**63)

_ROWS = 16_384
"""Interactions looked at together: with ten chunks of 500 characters each about 80 MB of text."""

Report = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how many is (0: nobody knows)."""


@dataclass(frozen=True)
class Chunks:
    """Chunks of rated interactions, in columns of shape (chunks,).

    Attributes:
        interaction: place of their interaction.
        rank: as stored, UNSAID where it is not.
        place: at which they were surfaced, 1 being the first.
        text: number of their text, NONE for null.
        scope: 1 in scope, 0 out of it, UNSAID.
    """

    interaction: np.ndarray
    rank: np.ndarray
    place: np.ndarray
    text: np.ndarray
    scope: np.ndarray

    def __len__(self) -> int:
        return len(self.interaction)

    def take(self, which: np.ndarray) -> Chunks:
        """Return those that a mask or places choose."""
        return Chunks(*(getattr(self, one.name)[which] for one in fields(self)))


@dataclass(frozen=True)
class Interactions:
    """RAG interactions, each once, ordered by ``ids``; columns of shape (interactions,).

    Attributes:
        ids: interaction_id, ascending.
        thumb: 1, -1, or 0 where there is no rating.
        moment: place of the rating among all in time; the later of two equal times is the one with the larger id.
        user: number of the user in the order of hashes, NONE without one.
        query: number of the question as spelled, in ``queries``.
        source: number of the knowledge base, in ``sources``.
        reason: number of the reason, in ``reasons``, NONE without one.
        chunks: of the rated ones.
        users: hashes in order.
        queries: the distinct questions.
        sources: distinct database_ids, "" for none.
        reasons: the distinct reasons.
        texts: the distinct texts of chunks.
    """

    ids: np.ndarray
    thumb: np.ndarray
    moment: np.ndarray
    user: np.ndarray
    query: np.ndarray
    source: np.ndarray
    reason: np.ndarray
    chunks: Chunks
    users: list[str]
    queries: list[str]
    sources: list[str]
    reasons: list[str]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.ids)


def read_interactions(tables: Iterable[pa.Table], report: Report) -> Interactions:
    """Return the RAG interactions of all tables; of one that stands in several, what was rated last.

    Nothing depends on the order of tables and rows.

    Args:
        tables: the COLUMNS of schemas.RAW_INTERACTIONS.
        report: is told how many interactions are read.

    Raises:
        ContractError: a table lacks a column.
    """
    reader = _Reader()
    for table in tables:
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            raise ContractError(f"raw_interactions: missing column(s) {', '.join(missing)}")
        for batch in table.select(COLUMNS).to_batches(max_chunksize=_ROWS):
            reader.add(batch)
            report("reading interactions", reader.size, 0)
    return reader.finished()


@dataclass
class _Reader:
    """Collects columns; numbers of texts follow the order of input until ``finished`` takes that away."""

    numbers: dict[str, TextNumbers] = field(default_factory=lambda: {name: TextNumbers() for name in _TEXT_COLUMNS})
    texts: TextNumbers = field(default_factory=TextNumbers)
    size: int = 0
    columns: dict[str, list[np.ndarray]] = field(default_factory=dict)
    chunks: list[Chunks] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch) -> None:
        batch = batch.filter(pc.and_(pc.equal(batch["kind"], "rag"), pc.is_valid(batch["natural_query"])))
        thumb = pc.fill_null(batch["feedback"], 0).to_numpy().astype(np.int8)
        thumb[np.abs(thumb) != 1] = 0
        rated_at = batch["rated_at"].cast(TIMESTAMP).cast(pa.int64())
        # Whoever is rated comes after whoever is not, even if nobody wrote down when.
        moment = np.where(thumb != 0, pc.fill_null(rated_at, _EARLIEST + 1).to_numpy(), _EARLIEST)
        rated = np.flatnonzero(thumb)
        said = batch.take(pa.array(rated))
        self._keep(ids=batch["interaction_id"].to_numpy(), thumb=thumb, rated_at=moment)
        for column, name in _TEXT_COLUMNS.items():
            numbers = np.full(len(thumb), NONE, np.int32)
            values = said[name] if column != "source" else pc.fill_null(said[name], "")
            numbers[rated] = self.numbers[column].of(values)
            self._keep(**{column: numbers})
        self.chunks.append(_chunks(said["chunks"], rated + self.size, self.texts))
        self.size += batch.num_rows

    def _keep(self, **columns: np.ndarray) -> None:
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(values)

    def finished(self) -> Interactions:
        if not self.columns:
            self.add(pa.RecordBatch.from_pylist([], pa.schema([RAW_INTERACTIONS.field(name) for name in COLUMNS])))
        column = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        chunks = Chunks(*(np.concatenate([getattr(c, one.name) for c in self.chunks]) for one in fields(Chunks)))
        self.columns, self.chunks = {}, []
        for name, numbers in self.numbers.items():
            column[name] = _in_order(column[name], numbers)
        standing = _standing(column, chunks)
        column = {name: values[standing] for name, values in column.items()}
        moment = np.argsort(np.lexsort((column["ids"], column.pop("rated_at"))))
        users, queries, sources, reasons = (sorted(self.numbers[name].texts()) for name in _TEXT_COLUMNS)
        return Interactions(
            **column,
            moment=moment,
            chunks=_of_standing(chunks, standing, self.size),
            users=users,
            queries=queries,
            sources=sources,
            reasons=reasons,
            texts=self.texts.texts(),
        )


def _in_order(numbers: np.ndarray, texts: TextNumbers) -> np.ndarray:
    """Return the numbers of the same texts put in order, NONE staying what it is."""
    ranks = np.append(ranks_of(texts.texts()), NONE)
    return ranks[numbers].astype(np.int32)


def _chunks(lists: pa.Array, interactions: np.ndarray, texts: TextNumbers) -> Chunks:
    """Return the chunks of interactions, whose places are given, and number their texts."""
    parents = pc.list_parent_indices(lists).to_numpy()
    flat = pc.list_flatten(lists)
    # The place within its list: how far a chunk stands behind the first of the same parent.
    nth = np.arange(len(parents)) - np.searchsorted(parents, parents)
    rank = pc.fill_null(pc.struct_field(flat, "rank"), UNSAID).to_numpy().astype(np.int32)
    counted_from_zero = np.zeros(len(interactions), bool)
    counted_from_zero[parents[rank == 0]] = True
    place = np.where(rank == UNSAID, nth + 1, np.maximum(rank + counted_from_zero[parents], 1))
    scope = pc.fill_null(pc.cast(pc.struct_field(flat, "in_scope"), pa.int8()), UNSAID).to_numpy()
    text = texts.of(pc.struct_field(flat, "text"))
    return Chunks(interactions[parents].astype(np.int32), rank, place.astype(np.int32), text, scope)


def _standing(column: dict[str, np.ndarray], chunks: Chunks) -> np.ndarray:
    """Return which rows stand, one per interaction and in their order: what was rated last.

    Of rows that say different things of the same time it is decided by what they say, so that it does not depend on
    where they come from. The chunks of an interaction never change.
    """
    counts = np.bincount(chunks.interaction, minlength=len(column["ids"]))
    names = ("reason", "user", "source", "query", "thumb", "rated_at", "ids")
    order = np.lexsort((counts, *(column[name] for name in names)))
    ids = column["ids"][order]
    return order[np.append(ids[1:] != ids[:-1], True)[: len(ids)]]


def _of_standing(chunks: Chunks, standing: np.ndarray, size: int) -> Chunks:
    """Return the chunks of the rows that stand, with the places these have got."""
    place = np.full(size, NONE, np.int32)
    place[standing] = np.arange(len(standing))
    interaction = place[chunks.interaction]
    kept = interaction != NONE
    moved = replace(chunks, interaction=interaction)
    return moved if kept.all() else moved.take(kept)
