"""The nearest vectors: those a full sort finds, in an order nothing can change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.retrieval.nearest import best_of, nearest


def expected(scores: np.ndarray, k: int) -> list[int]:
    rounded = np.round(scores, 6)
    return sorted(range(len(scores)), key=lambda row: (-rounded[row], row))[:k]


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.integers(-12, 12), max_size=40), st.integers(1, 50))
def test_scores_that_are_equal_when_rounded_are_ordered_by_row(steps: list[int], k: int):
    scores = np.float32(0.5) + np.array(steps, np.float32) * np.float32(2.5e-7)

    rows, rounded = best_of(scores, k)

    assert rows.tolist() == expected(scores, k)
    assert rounded.tolist() == np.round(scores, 6)[rows].tolist()


def test_equal_vectors_score_equally_wherever_they_stand():
    vector = np.random.default_rng(3).normal(size=384).astype(np.float32)
    vector /= np.linalg.norm(vector)

    rows, _ = nearest(np.tile(vector, (1_003, 1)), vector, 1_003)

    assert rows.tolist() == list(range(1_003))


@pytest.mark.parametrize("rows", [0, 1, 2, 5_000])
def test_recall_is_complete(rows: int):
    vectors = np.random.default_rng(1).normal(size=(rows, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    question = np.ones(32, np.float32) / np.float32(np.sqrt(32))

    found, _ = nearest(vectors, question, 3)

    exact = vectors.astype(np.float64) @ question.astype(np.float64)
    assert found.tolist() == np.argsort(-exact, kind="stable")[:3].tolist()
