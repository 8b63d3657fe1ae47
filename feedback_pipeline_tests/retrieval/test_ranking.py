"""Which examples come first."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.retrieval.ranking import MARGIN, Similarities, fused, rank
from feedback_pipeline.retrieval.shape import shape_space

MANY = 1_000_000


def similarities(words: list[float], shape: list[float]) -> Similarities:
    return Similarities(np.array(words, np.float32), np.array(shape, np.float32))


def ranked(words: list[float], shape: list[float], skeletons: list[int], paraphrases: int, k: int = 3) -> list[int]:
    return [row for row, _ in rank(similarities(words, shape), np.array(skeletons), paraphrases, k)]


def test_an_example_alike_in_shape_comes_before_one_alike_in_words():
    assert ranked([0.8, 0.4], [0.5, 0.99], [0, 1], MANY) == [1, 0]


def test_without_paraphrases_shape_has_to_win_by_a_margin():
    assert ranked([0.8, 0.4], [0.5, 0.8 + MARGIN / 2], [0, 1], 0) == [0, 1]
    assert ranked([0.8, 0.4], [0.5, 0.8 + MARGIN * 2], [0, 1], 0) == [1, 0]


def test_the_same_question_scores_one():
    assert fused(similarities([1.0], [1.0]), 0).tolist() == [1.0]


def test_of_equal_shapes_the_one_alike_in_words_comes_first():
    assert ranked([0.5, 0.7, 0.6], [0.9, 0.9, 0.9], [0, 1, 2], MANY) == [1, 2, 0]


def test_where_paraphrases_are_known_each_skeleton_is_given_before_a_second_of_any():
    assert ranked([0] * 4, [0.9, 0.89, 0.88, 0.3], [0, 0, 0, 1], MANY, k=2) == [0, 3]
    assert ranked([0] * 4, [0.9, 0.89, 0.88, 0.3], [0, 0, 0, 1], 0, k=2) == [0, 1]


def test_second_examples_fill_what_is_left():
    assert ranked([0] * 3, [0.9, 0.89, 0.3], [0, 0, 1], MANY, k=3) == [0, 1, 2]


@settings(max_examples=200, deadline=None, database=None)
@given(
    st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32), st.integers(0, 4)), max_size=100),
    st.integers(0, 100),
    st.integers(1, 120),
)
def test_ranks_are_distinct_rows_best_first(points: list[tuple[float, float, int]], paraphrases: int, k: int):
    words, shape, skeletons = ([point[part] for point in points] for part in range(3))

    found = rank(similarities(words, shape), np.array(skeletons, int), paraphrases, k)

    rows, scores = [row for row, _ in found], [score for _, score in found]
    assert len(set(rows)) == len(rows) == min(k, len(points))
    assert scores == sorted(scores, reverse=True)


def test_directions_in_which_paraphrases_differ_count_for_less():
    generator = np.random.default_rng(5)
    shapes = generator.normal(size=(20, 8)) * np.array([1, 1, 1, 1, 0, 0, 0, 0])
    wording = generator.normal(size=(400, 8)) * np.array([0, 0, 0, 0, 1, 1, 1, 1])
    classes = np.repeat(np.arange(20), 20)
    vectors = (shapes[classes] + wording).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    space = shape_space(vectors, classes)
    moved = space.of(vectors)

    def right(of: np.ndarray) -> float:
        alike = of @ of.T - 2 * np.eye(len(of))
        return float((classes[alike.argmax(axis=1)] == classes).mean())

    assert space.paraphrases == 380
    assert right(moved) > right(vectors)
    assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)


def test_without_paraphrases_nothing_is_learned():
    vectors = np.eye(3, dtype=np.float32)

    assert shape_space(vectors, np.arange(3)).of(vectors) is vectors


def test_equal_paraphrases_teach_nothing_and_break_nothing():
    vectors = np.tile(np.eye(2, dtype=np.float32)[:1], (4, 1))

    assert np.allclose(shape_space(vectors, np.zeros(4, int)).of(vectors), vectors)
