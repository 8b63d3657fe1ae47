"""The nearest rows of a slice: compared with sorting all of them, and in an order nothing can change."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.retrieval.slice_cache import SliceCache
from feedback_pipeline.retrieval.slices import DatabaseSlice


def slice_of(*vectors: list[float]) -> DatabaseSlice:
    flat = pa.array(np.array(vectors, np.float32).ravel(), pa.float32())
    column = pa.FixedSizeListArray.from_arrays(flat, 2)
    ids = [f"{number:03d}" for number in range(len(vectors))]
    return DatabaseSlice.from_table(pa.table({"example_id": ids, "vector": column}))


ONE = np.array([1.0, 0.0], np.float32)


def test_the_best_come_first():
    found = slice_of([0.0, 1.0], [1.0, 0.0], [0.6, 0.8]).best(ONE, ONE, 2)

    assert [row for row, _ in found] == [1, 2]
    assert [score for _, score in found] == [1.0, pytest.approx(0.6)]


def test_asking_for_more_than_there_are_gives_all():
    assert len(slice_of([1.0, 0.0], [0.0, 1.0]).best(ONE, ONE, 100)) == 2


def test_an_empty_slice_has_no_nearest():
    assert slice_of().search(ONE, ONE, 3) == slice_of().best(ONE, ONE, 3) == []


@pytest.mark.parametrize("k", [1, 2, 5, 9, 10, 50])
def test_equal_scores_are_ordered_by_row(k: int):
    found = slice_of(*[[0.6, 0.8]] * 10).best(ONE, ONE, k)

    assert [row for row, _ in found] == list(range(min(k, 10)))


def test_equal_vectors_score_equally_wherever_they_stand():
    vector = np.random.default_rng(3).normal(size=384).astype(np.float32)
    vector /= np.linalg.norm(vector)
    rows = np.tile(vector, (1_003, 1))
    column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 384)
    ids = [f"{number:05d}" for number in range(len(rows))]
    whole = DatabaseSlice.from_table(pa.table({"example_id": ids, "vector": column}))

    found = whole.best(vector, vector, 1_003)

    assert [row for row, _ in found] == list(range(1_003))


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=40), st.integers(1, 50))
def test_the_nearest_are_those_a_full_sort_finds(points: list[tuple[int, int]], k: int):
    whole = slice_of(*[[float(x), float(y)] for x, y in points])
    question = np.array([0.8, -0.6], np.float32)

    scores = np.round(whole.vectors @ question, 6)
    expected = sorted(range(len(points)), key=lambda row: (-scores[row], row))[:k]

    assert [row for row, _ in whole.best(question, question, k)] == expected


def test_rows_stand_in_the_order_of_their_ids_however_they_were_stored():
    table = pa.table({"example_id": ["b", "a"], "vector": pa.array([[1, 0], [0, 1]], pa.list_(pa.float32(), 2))})

    ordered = DatabaseSlice.from_table(table)

    assert ordered.rows["example_id"].to_pylist() == ["a", "b"]
    assert ordered.vectors.tolist() == [[0, 1], [1, 0]]


def test_the_cache_loads_once_and_drops_what_was_used_longest_ago():
    loaded: list[str] = []
    one = slice_of([1.0, 0.0])
    cache = SliceCache(max_bytes=2 * one.bytes)

    def get(name: str) -> None:
        cache.get(("v1", name), lambda: (loaded.append(name), one)[1])

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)

    assert loaded == ["a", "b", "c", "b"]


def test_forgetting_keeps_the_live_publication_only():
    cache, one = SliceCache(max_bytes=10**6), slice_of([1.0, 0.0])
    cache.get(("old", "shop"), lambda: one)
    cache.get(("new", "shop"), lambda: one)

    cache.forget_others("new")

    other = slice_of([0.0, 1.0])
    assert cache.get(("new", "shop"), lambda: other) is one
    assert cache.get(("old", "shop"), lambda: other) is other
