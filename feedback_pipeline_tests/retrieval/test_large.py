"""Databases too large to be held: candidates from LanceDB's index, compared with a full search."""

from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from lancedb.table import Table

from feedback_pipeline.example_index.catalog import DatabaseContent
from feedback_pipeline.example_index.column_indexes import index_columns
from feedback_pipeline.retrieval.large import candidates, rows_of, slice_bytes

DIMENSION, ROWS = 64, 8_000
NAMES = ["it's a big one", "small"]


def unit(rows: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Return vectors in clusters, as those of questions are."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(200, DIMENSION))
    vectors = centres[chance.integers(200, size=rows)] + spread * chance.normal(size=(rows, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return unit(ROWS, seed=1)


def filled(folder: Path, vectors: np.ndarray) -> Table:
    """Return a table in which three of four rows are of the first database."""
    rows = pa.table(
        {
            "example_id": [f"{number:05d}" for number in range(len(vectors))],
            "database_id": [NAMES[number % 4 == 0] for number in range(len(vectors))],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION),
        }
    )
    return lancedb.connect(folder).create_table("examples", rows.sort_by("database_id"))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, vectors: np.ndarray) -> Table:
    table = filled(tmp_path_factory.mktemp("large"), vectors)
    index_columns(table, ROWS, ROWS, vector_index_min_rows=1_000)
    return table


def exact(vectors: np.ndarray, question: np.ndarray, count: int) -> list[str]:
    scores = vectors.astype(np.float64) @ question
    scores[::4] = -2
    return [f"{row:05d}" for row in np.argsort(-scores)[:count]]


def test_the_three_nearest_of_a_database_are_found(indexed: Table, vectors: np.ndarray):
    questions = unit(100, seed=2)

    found = [candidates(indexed, "vector", question, NAMES[0], 3)["example_id"].to_pylist() for question in questions]

    met = [len(set(ids) & set(exact(vectors, q, 3))) for ids, q in zip(found, questions, strict=True)]
    assert indexed.index_stats("vector_idx") is not None
    assert sum(met) >= 0.99 * 3 * len(questions)


def test_distances_are_exact_and_vectors_come_along(indexed: Table):
    question = unit(1, seed=3)[0]

    found = candidates(indexed, "vector", question, NAMES[0], 10)

    held = np.array(found["vector"].to_pylist(), np.float32)
    assert found.num_rows == 10
    assert found["_distance"].to_pylist() == pytest.approx((1 - held @ question).tolist(), abs=1e-5)
    assert found["_distance"].to_pylist() == sorted(found["_distance"].to_pylist())
    assert set(found["database_id"].to_pylist()) == {NAMES[0]}


def test_rows_added_after_the_index_was_built_are_found_too(tmp_path: Path, vectors: np.ndarray):
    table = filled(tmp_path, vectors[:4_000])
    index_columns(table, 4_000, 4_000, vector_index_min_rows=1_000)
    question = unit(1, seed=4)[0]
    late = table.search().limit(1).to_arrow()
    late = late.set_column(0, "example_id", pa.array(["late"]))
    late = late.set_column(2, "vector", pa.FixedSizeListArray.from_arrays(pa.array(question), DIMENSION))
    table.add(late)

    found = candidates(table, "vector", question, late["database_id"][0].as_py(), 1)

    assert found["example_id"].to_pylist() == ["late"]


def test_without_an_index_all_rows_are_searched(tmp_path: Path, vectors: np.ndarray):
    table, question = filled(tmp_path, vectors), unit(1, seed=5)[0]

    found = candidates(table, "vector", question, NAMES[0], 5)

    assert found["example_id"].to_pylist() == exact(vectors, question, 5)


def test_the_size_is_told_from_what_was_noted_or_by_counting(indexed: Table):
    noted = {NAMES[1]: DatabaseContent(7, "digest")}

    assert rows_of(indexed, NAMES[1], noted) == 7
    assert rows_of(indexed, NAMES[0], noted) == 0
    assert rows_of(indexed, NAMES[0], {}) == ROWS * 3 // 4
    assert rows_of(indexed, "x' OR '1'='1", {}) == 0
    assert slice_bytes(10_000, 384, vectors=2) > 10_000 * 384 * 4 * 2
