"""The examples of one database in memory: matrices of unit vectors and the rows they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from feedback_pipeline.masking.dictionary import ValueDictionary
from feedback_pipeline.masking.masker import QuestionMasker
from feedback_pipeline.retrieval.nearest import nearest
from feedback_pipeline.retrieval.ranking import Similarities, rank
from feedback_pipeline.retrieval.shape import ShapeSpace, shape_space

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class DatabaseSlice:
    """All examples of one database in one publication.

    Attributes:
        vectors: of the questions: float32 of shape (rows, dimension), unit length.
        shapes: of the masked questions in the shape space, the same shape.
        classes: which SQL skeleton each row has: int32 of shape (rows,).
        space: where shapes are compared.
        rows: the other columns, in the same order.
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
        table = table.sort_by("example_id")
        vectors = matrix(table, "vector")
        masked = matrix(table, "masked_vector") if "masked_vector" in table.column_names else vectors
        classes = skeleton_classes(table)
        space = shape_space(masked, classes)
        others = [name for name in table.column_names if name not in ("vector", "masked_vector", "_distance")]
        masker = QuestionMasker(dictionary or ValueDictionary()).prepared()
        return cls(vectors, space.of(masked), classes, space, table.select(others), masker)

    @property
    def bytes(self) -> int:
        """Memory held, in bytes."""
        shapes = 0 if self.shapes is self.vectors else self.shapes.nbytes
        return (
            self.vectors.nbytes + shapes + self.classes.nbytes + self.rows.nbytes + self.space.bytes + self.masker.bytes
        )

    def search(self, vector: np.ndarray, masked_vector: np.ndarray, k: int) -> list[tuple[dict[str, Any], float]]:
        """Return the rows that ``best`` names, each with its score."""
        if not self.rows.num_rows:
            return []
        found = self.best(vector, masked_vector, k)
        rows = self.rows.take([row for row, _ in found]).to_pylist()
        return [(row, score) for row, (_, score) in zip(rows, found, strict=True)]

    def best(self, vector: np.ndarray, masked_vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return (row number, score) of the ``k`` examples most alike to a question, best first.

        Args:
            vector: of the question, float32 of shape (dimension,).
            masked_vector: of the masked question, the same shape.
            k: how many.

        """
        words = np.vecdot(self.vectors, vector)
        shape = words if self.shapes is self.vectors else np.vecdot(self.shapes, self.space.of(masked_vector))
        return rank(Similarities(words, shape), self.classes, self.space.paraphrases, k)

    def nearest(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return (row number, cosine) of the ``k`` nearest questions, best first; equal ones by row number.

        Similarities are rounded to six digits: beyond these, equal vectors may differ by their place in the matrix.
        """
        rows, scores = nearest(self.vectors, vector, k)
        return list(zip(rows.tolist(), scores.tolist(), strict=True))


def matrix(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of vectors as float32 of shape (rows, dimension)."""
    column = table[name].combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)


def skeleton_classes(table: pa.Table) -> np.ndarray:
    """Return which SQL skeleton each row has, as int32 of shape (rows,); each its own where none is noted."""
    if "sql_skeleton" not in table.column_names:
        return np.arange(table.num_rows, dtype=np.int32)
    return table["sql_skeleton"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
