"""The examples of one database in memory: matrices of unit vectors and the rows they stand for."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.masking.dictionary import ValueDictionary
from feedback_pipeline.masking.masker import QuestionMasker
from feedback_pipeline.retrieval.ranking import Similarities, rank
from feedback_pipeline.retrieval.shape import ShapeSpace, shape_space

_UNASKED = frozenset({"vector", "masked_vector", "_distance", "weight", "row_digest", "sql_skeleton"})
_REPEATING = frozenset({"database_id", "source"})


@dataclass(frozen=True)
class DatabaseSlice:
    """All examples of one database in one publication.

    Attributes:
        vectors: of the questions: float32 of shape (rows, dimension), unit length.
        shapes: of the masked questions in the shape space: float32 of shape (rows, at most dimension), unit length.
        classes: which SQL skeleton each row has: int32 of shape (rows,).
        space: where shapes are compared.
        rows: what answers are made of, in the same order.
        masker: masks questions about this database.

    """

    vectors: np.ndarray
    shapes: np.ndarray
    classes: np.ndarray
    space: ShapeSpace
    rows: pa.Table
    masker: QuestionMasker

    @classmethod
    def from_table(cls, table: pa.Table, dictionary: ValueDictionary | None = None) -> DatabaseSlice:
        """Split an Arrow table of index rows into matrices and the rest, in the order of their ids.

        LanceDB returns rows in the order they were written, which depends on what was published before. Rows of an
        earlier release of this project are not masked: words are all they are compared by.
        """
        order = pc.sort_indices(table["example_id"])
        rows, classes = _answers(table).take(order), skeleton_classes(table)[order.to_numpy()]
        vectors = matrix(table, "vector")[order.to_numpy()]
        shapes, space = vectors, ShapeSpace(None, None, 0)
        if "masked_vector" in table.column_names:
            masked = matrix(table, "masked_vector")[order.to_numpy()]
            space = shape_space(masked, classes)
            shapes = space.of(masked)
        masker = QuestionMasker(dictionary or ValueDictionary()).prepared()
        return cls(vectors, shapes, classes, space, rows, masker)

    @property
    def bytes(self) -> int:
        """Memory held, in bytes."""
        shapes = 0 if self.shapes is self.vectors else self.shapes.nbytes
        return (
            self.vectors.nbytes + shapes + self.classes.nbytes + self.rows.nbytes + self.space.bytes + self.masker.bytes
        )

    def search(self, vector: np.ndarray, masked_vector: np.ndarray, k: int) -> list[tuple[dict[str, Any], float]]:
        """Return the rows that ``best`` names, each with its score, and with its class as ``skeleton_class``."""
        if not self.rows.num_rows:
            return []
        return with_scores(self.rows, self.classes, self.best(vector, masked_vector, k))

    def best(self, vector: np.ndarray, masked_vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return (row number, score) of the ``k`` examples most alike to a question, best first.

        Args:
            vector: of the question, float32 of shape (dimension,).
            masked_vector: of the masked question, the same shape.
            k: how many.

        """
        # Row by row in this thread: a product by BLAS waits for threads of its own, which on a busy machine took 20
        # times as long, and its last digits depend on where a row stands.
        words = np.vecdot(self.vectors, vector)
        if self.shapes is self.vectors:
            return rank(Similarities(words, words), self.classes, self.space.paraphrases, k)
        shape = np.vecdot(self.shapes, self.space.of(masked_vector))
        similarities = Similarities(words, shape, self.space.known_share(masked_vector))
        return rank(similarities, self.classes, self.space.paraphrases, k)


def with_scores(
    rows: pa.Table, classes: np.ndarray, best: Sequence[tuple[int, float]]
) -> list[tuple[dict[str, Any], float]]:
    """Return the rows that ``best`` names by number, with their classes and scores."""
    found = rows.take([row for row, _ in best]).to_pylist()
    return [
        (values | {"skeleton_class": int(classes[row])}, score)
        for values, (row, score) in zip(found, best, strict=True)
    ]


def _answers(table: pa.Table) -> pa.Table:
    """Return the columns that answers are made of; those whose values repeat hold each of them once."""
    table = table.select([name for name in table.column_names if name not in _UNASKED])
    for number, field in enumerate(table.schema):
        if field.name in _REPEATING:
            table = table.set_column(number, field.name, table[field.name].combine_chunks().dictionary_encode())
    return table


def matrix(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of vectors as float32 of shape (rows, dimension)."""
    kind = table.schema.field(name).type
    # Arrow keeps freed memory for itself, so nothing large is put together in it.
    parts = [chunk.flatten().to_numpy().reshape(-1, kind.list_size) for chunk in table[name].chunks]
    return np.concatenate(parts) if parts else np.empty((0, kind.list_size), np.float32)


def skeleton_classes(table: pa.Table) -> np.ndarray:
    """Return which SQL skeleton each row has, as int32 of shape (rows,); each its own where none is noted."""
    if "sql_skeleton" not in table.column_names:
        return np.arange(table.num_rows, dtype=np.int32)
    return table["sql_skeleton"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
