"""Figures of one ordered list."""

import math

import numpy as np
import pytest

from feedback_pipeline.reranker.comparison.ranking_metrics import METRICS, metrics_of

ALL = np.ones(4, bool)


def test_a_perfect_order_has_the_highest_figures() -> None:
    figures = metrics_of(np.array([1, 1, 0, 0]), np.array([4.0, 3.0, 2.0, 1.0]), ALL)

    assert figures.tolist() == [1.0] * len(METRICS)


def test_the_wrong_order_is_wrong_in_every_pair() -> None:
    figures = metrics_of(np.array([1, 0, 0, 0]), np.array([1.0, 2.0, 3.0, 4.0]), ALL)

    assert figures[0] == 0
    assert figures[2] == pytest.approx(1 / 4)


def test_saying_nothing_wins_nothing() -> None:
    figures = metrics_of(np.array([1, 0, 0, 0]), np.zeros(4), ALL)

    assert figures[0] == 0.5
    assert figures[2] == pytest.approx(1 / 4)


def test_only_rated_passages_make_pairs() -> None:
    judged = np.array([True, True, False, False])

    figures = metrics_of(np.array([1, 0, 0, 0]), np.array([2.0, 1.0, 9.0, 9.0]), judged)

    assert figures[0] == 1
    assert figures[2] == pytest.approx(1 / 3)


def test_lists_without_a_good_passage_have_no_figures() -> None:
    assert all(math.isnan(value) for value in metrics_of(np.zeros(4), np.arange(4.0), ALL))


def test_lists_without_a_bad_passage_have_no_pairs() -> None:
    assert math.isnan(metrics_of(np.ones(4), np.arange(4.0), ALL)[0])


def test_recall_counts_the_first_five() -> None:
    labels, scores = np.array([1, 1, 0, 0, 0, 0, 0]), np.array([9.0, 0, 5, 4, 3, 2, 1])

    figures = metrics_of(labels, scores, np.ones(7, bool))

    assert figures[3] == 0.5
