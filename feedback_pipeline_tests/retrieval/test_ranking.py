"""Which examples come first."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedback_pipeline.retrieval.ranking import MARGIN, Similarities, fused, rank
from feedback_pipeline.retrieval.shape import DIRECTIONS, shape_space

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
    st.floats(0, 1),
    st.integers(0, 100),
    st.integers(1, 120),
)
@example([(-0.1, 0.09, 0), (-0.5, -0.3, 1), (-0.3, -0.3, 2)], 0.3, 0, 3)
def test_ranks_are_distinct_rows_best_first(
    points: list[tuple[float, float, int]], known: float, paraphrases: int, k: int
):
    words, shape, skeletons = ([point[part] for point in points] for part in range(3))
    alike = Similarities(np.array(words, np.float32), np.array(shape, np.float32), known)

    found = rank(alike, np.array(skeletons, int), paraphrases, k)

    rows, scores = [row for row, _ in found], [score for _, score in found]
    assert len(set(rows)) == len(rows) == min(k, len(points))
    assert scores == sorted(scores, reverse=True)
    assert all(-1.1 <= score <= 1 for score in scores)


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=120), st.integers(1, 120))
def test_the_best_are_those_a_full_sort_finds(steps: list[tuple[int, int]], k: int):
    """Scores a fraction of the rounding apart: equal ones are ordered by their words, then by row."""
    words, shape = (
        [float(np.float32(0.5) + np.float32(step[part]) * np.float32(2.5e-7)) for step in steps] for part in (0, 1)
    )

    found = ranked(words, shape, list(range(len(steps))), 0, k)

    scores, alike = np.round(fused(similarities(words, shape), 0), 6), np.round(np.array(words, np.float32), 6)
    assert found == sorted(range(len(steps)), key=lambda row: (-scores[row], -alike[row], row))[:k]


def test_what_a_space_knows_little_of_scores_less_in_the_same_order():
    words, shape, classes = np.array([0.2, 0.1], np.float32), np.array([0.8, 0.9], np.float32), np.arange(2)

    known, unknown = (rank(Similarities(words, shape, share), classes, MANY, 2) for share in (1.0, 0.5))

    assert [row for row, _ in known] == [row for row, _ in unknown] == [1, 0]
    assert [score for _, score in known] == pytest.approx([0.9, 0.8], abs=1e-4)
    assert [score for _, score in unknown] == pytest.approx([0.45, 0.4], abs=1e-4)


def test_the_same_question_scores_one_however_little_the_space_knows():
    assert rank(Similarities(np.ones(1, np.float32), np.ones(1, np.float32), 0.1), np.zeros(1), 0, 1) == [(0, 1.0)]


def test_directions_in_which_paraphrases_differ_count_for_less():
    generator = np.random.default_rng(5)
    side = np.repeat([1, 0], DIRECTIONS)
    shapes = generator.normal(size=(20, 2 * DIRECTIONS)) * side
    wording = generator.normal(size=(400, 2 * DIRECTIONS)) * (1 - side)
    classes = np.repeat(np.arange(20), 20)
    vectors = (shapes[classes] + wording).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    space = shape_space(vectors, classes)
    moved = space.of(vectors)

    def apart(of: np.ndarray) -> float:
        alike = of @ of.T
        same = classes[:, None] == classes
        return float(alike[same].mean() - alike[~same].mean())

    assert space.paraphrases == 380
    assert apart(moved) > apart(vectors) + 0.1
    assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)


def test_few_examples_teach_nothing():
    vectors = np.eye(384, dtype=np.float32)[:DIRECTIONS]

    space = shape_space(vectors, np.zeros(DIRECTIONS, int))

    assert space.of(vectors) is vectors
    assert space.known_share(vectors[0]) == 1
    assert space.paraphrases == DIRECTIONS - 1


def test_equal_paraphrases_teach_nothing_and_break_nothing():
    vectors = np.tile(np.eye(384, dtype=np.float32)[:1], (100, 1))

    space = shape_space(vectors, np.zeros(100, int))

    assert np.allclose(space.of(vectors) @ space.of(vectors[0]), 1)
    assert space.known_share(vectors[0]) == pytest.approx(1)


def test_of_many_examples_the_directions_in_which_they_differ_are_kept():
    generator = np.random.default_rng(7)
    main = generator.normal(size=(300, 100)) * np.repeat([1.0, 0.05], [30, 70])
    vectors = (main / np.linalg.norm(main, axis=1, keepdims=True)).astype(np.float32)
    stranger = np.eye(100, dtype=np.float32)[-1]

    space = shape_space(vectors, np.arange(len(vectors)))
    shapes = space.of(vectors)

    assert shapes.shape == (300, DIRECTIONS)
    assert np.abs(shapes @ shapes.T - vectors @ vectors.T).max() < 0.05
    assert np.linalg.norm(space.of(stranger)) == pytest.approx(1, abs=1e-5)
    assert min(space.known_share(vector) for vector in vectors) > 0.9
    assert space.known_share(stranger) < 0.3


def test_a_question_the_space_knows_nothing_of_is_no_division_by_zero():
    space = shape_space(np.tile(np.eye(100, dtype=np.float32)[:1], (300, 1)), np.arange(300))
    nothing = np.zeros(100, np.float32)

    assert not space.of(nothing).any()
    assert space.known_share(nothing) == 0


def test_directions_of_which_the_vectors_have_nothing_are_left_out():
    few = np.random.default_rng(3).normal(size=(6, 100)).astype(np.float32)
    vectors = np.repeat(few / np.linalg.norm(few, axis=1, keepdims=True), 12, axis=0)

    space = shape_space(vectors, np.arange(len(vectors)))

    assert space.of(vectors).shape == (72, 6)
    assert np.abs(space.of(vectors) @ space.of(vectors).T - vectors @ vectors.T).max() < 1e-4
