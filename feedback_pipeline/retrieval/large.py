"""Candidates of a database too large to be held in memory: LanceDB's index finds them, refined with exact distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from feedback_pipeline.masking.dictionary import ValueDictionary
from feedback_pipeline.masking.masker import QuestionMasker
from feedback_pipeline.retrieval.ranking import Similarities, rank
from feedback_pipeline.retrieval.slices import matrix, skeleton_classes, with_scores

if TYPE_CHECKING:
    from lancedb.query import LanceVectorQueryBuilder
    from lancedb.table import Table

    from feedback_pipeline.example_index.catalog import DatabaseContent

DEFAULT_SLICE_BYTES = 512 * 1024 * 1024
_TEXT_BYTES = 1_000
"""Rough size of one example's texts in memory."""
_PROBES = 128
_REFINE = 8
_CANDIDATES = 32
_LEAST_CANDIDATES = 24
"""Quantised distances order few rows so poorly that some more have to be refined."""


def slice_bytes(rows: int, dimension: int, vectors: int) -> int:
    """Estimate the memory of a slice of ``rows`` examples with so many ``vectors`` each, of ``dimension`` float32."""
    return rows * (vectors * dimension * 4 + _TEXT_BYTES)


def rows_of(table: Table, database_id: str, contents: dict[str, DatabaseContent]) -> int:
    """Return how many examples a database has, without loading them.

    Args:
        table: the index at the publication in question.
        database_id: the database.
        contents: ``IndexCatalog.databases`` of the publication; where it is empty the rows are counted.

    """
    if contents:
        return contents[database_id].rows if database_id in contents else 0
    return table.count_rows(_is_of(database_id))


def candidates(table: Table, column: str, vector: np.ndarray, database_id: str, count: int) -> pa.Table:
    """Return the ``count`` rows of one database nearest to ``vector``, nearest first.

    Args:
        table: the index at one publication.
        column: which vector to compare with: ``vector`` or ``masked_vector``.
        vector: float32 of shape (dimension,), unit length.
        database_id: rows of other databases are never looked at.
        count: how many rows.

    Returns:
        all columns of the index, vectors included, and ``_distance``: 1 - cosine similarity, exact. The rows are exact
        where the column has no index (then all vectors of the database are read), else nearly so.

    Raises:
        RuntimeError, ValueError, OSError: LanceDB cannot read the table.

    """
    query = cast("LanceVectorQueryBuilder", table.search(vector, vector_column_name=column, query_type="vector"))
    # Refining looks at exact distances of ``_REFINE`` times as many rows as asked for.
    found = (
        query.distance_type("cosine")
        .where(_is_of(database_id), prefilter=True)
        .nprobes(_PROBES)
        .refine_factor(_REFINE)
        .limit(max(count, _LEAST_CANDIDATES))
        .to_arrow()
    )
    return found.slice(0, count)


def _is_of(database_id: str) -> str:
    literal = database_id.replace("'", "''")
    return f"database_id = '{literal}'"


class LargeDatabase:
    """The examples of a database too large to be held: candidates come from the index, and are ranked like all others.

    Args:
        table: the index at one publication.
        database_id: the database.
        rows: how many examples it has.
        dictionary: its values.

    """

    def __init__(self, table: Table, database_id: str, rows: int, dictionary: ValueDictionary):
        self._table, self._database_id = table, database_id
        self._vectors = [name for name in ("vector", "masked_vector") if name in table.schema.names]
        self._paraphrases = rows - self._skeletons() if "sql_skeleton" in table.schema.names else 0
        self.masker = QuestionMasker(dictionary).prepared()

    @property
    def bytes(self) -> int:
        """Memory held, in bytes: little more than the values."""
        return _TEXT_BYTES + self.masker.bytes

    def search(self, vector: np.ndarray, masked_vector: np.ndarray, k: int) -> list[tuple[dict[str, Any], float]]:
        """Return the ``k`` rows most alike to a question, each with its score, best first.

        Shapes are compared as the model embeds them: what paraphrases teach is only known of databases that are held.
        """
        found = self._candidates(vector, masked_vector, max(k, _CANDIDATES))
        if not found.num_rows:
            return []
        words = np.vecdot(matrix(found, "vector"), vector)
        shape = np.vecdot(matrix(found, self._vectors[-1]), masked_vector) if len(self._vectors) > 1 else words
        classes = skeleton_classes(found)
        best = rank(Similarities(words, shape), classes, self._paraphrases, k)
        return with_scores(found.drop_columns(self._vectors), classes, best)

    def _skeletons(self) -> int:
        rows = self._table.search().where(_is_of(self._database_id)).select(["sql_skeleton"]).limit(None).to_arrow()
        return len(rows["sql_skeleton"].unique())

    def _candidates(self, vector: np.ndarray, masked_vector: np.ndarray, count: int) -> pa.Table:
        """Return the rows nearest in words or in shape, each once, in the order of their ids."""
        asked = zip(self._vectors, (vector, masked_vector), strict=False)
        parts = [candidates(self._table, name, value, self._database_id, count) for name, value in asked]
        found = pa.concat_tables([part.drop_columns(["_distance"]) for part in parts]).sort_by("example_id")
        _, first = np.unique(found["example_id"].to_numpy(zero_copy_only=False), return_index=True)
        return found.take(first)
