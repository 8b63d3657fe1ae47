"""Reranker.rank: the shape of CrossEncoder.rank for any text, and never an exception for want of a model."""

import inspect
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker.scoring import BlendScorer
from feedback_pipeline_tests.reranker.models import PASSAGES, QUERY, WHO
from feedback_pipeline_tests.reranker.serving.looking import (
    AS_GIVEN,
    REFUND_FIRST,
    order,
)


def test_the_result_has_the_shape_of_cross_encoders(registry: ModelRegistry, tmp_path: Path):
    reranker = Reranker.open("production", tmp_path)

    ranked = reranker.rank(QUERY, PASSAGES, return_documents=True)

    assert [found["corpus_id"] for found in ranked] == REFUND_FIRST
    assert [found["text"] for found in ranked] == [PASSAGES[place] for place in REFUND_FIRST]
    assert [list(found) for found in reranker.rank(QUERY, PASSAGES)] == [["corpus_id", "score"]] * 3
    assert all(type(found["corpus_id"]) is int and type(found["score"]) is float for found in ranked)
    assert [found["score"] for found in ranked] == sorted((found["score"] for found in ranked), reverse=True)
    assert (reranker.version, reranker.is_base) == (1, False)
    json.dumps(ranked)


def test_calls_of_cross_encoders_need_no_change(registry: ModelRegistry, tmp_path: Path):
    reranker = Reranker.open("production", tmp_path)
    positional = reranker.rank(QUERY, PASSAGES, 2, True)

    by_name = reranker.rank(query=QUERY, documents=PASSAGES, top_k=2, return_documents=True)
    tuned = reranker.rank(
        query=QUERY, documents=PASSAGES, top_k=2, return_documents=True, batch_size=64, show_progress_bar=True
    )

    assert positional == by_name == tuned
    assert [found["text"] for found in by_name] == [PASSAGES[place] for place in REFUND_FIRST[:2]]


@pytest.mark.parametrize("argument", ["activation_fn", "prompt", "prompt_name", "device", "pool", "passages"])
def test_what_would_change_scores_or_where_they_come_from_is_refused(
    registry: ModelRegistry, tmp_path: Path, argument: str
):
    reranker = Reranker.open("production", tmp_path)

    with pytest.raises(TypeError, match=f"unexpected keyword argument '{argument}'"):
        reranker.rank(QUERY, PASSAGES, **{argument: "cuda"})  # pyright: ignore[reportArgumentType]


def test_the_arguments_are_named_as_cross_encoders_names_them():
    cross_encoder = pytest.importorskip("sentence_transformers").CrossEncoder

    ours, theirs = (list(inspect.signature(one.rank).parameters) for one in (Reranker, cross_encoder))

    assert ours[:5] == theirs[:5]
    assert set(ours) <= set(theirs)


def test_only_the_best_are_given_where_that_is_asked_for(registry: ModelRegistry, tmp_path: Path):
    reranker = Reranker.open(root=tmp_path)

    assert [found["corpus_id"] for found in reranker.rank(QUERY, PASSAGES, top_k=2)] == REFUND_FIRST[:2]
    assert len(reranker.rank(QUERY, PASSAGES, 99)) == 3
    with pytest.raises(ValueError, match="top_k must be at least 1, not 0"):
        reranker.rank(QUERY, PASSAGES, top_k=0)


def test_several_queries_are_ranked_like_each_alone(registry: ModelRegistry, tmp_path: Path):
    reranker = Reranker.open(root=tmp_path)
    queries, lists = [QUERY, "shop", "", "kind"], [PASSAGES, PASSAGES[::-1], PASSAGES, []]

    ranked = reranker.rank_many(queries, lists)

    assert ranked == [reranker.rank(query, passages) for query, passages in zip(queries, lists, strict=True)]
    assert reranker.rank_many([], []) == []
    with pytest.raises(ValueError, match="1 queries and 2 lists"):
        reranker.rank_many([QUERY], [PASSAGES, PASSAGES])


@pytest.mark.parametrize(
    ("query", "passages"),
    [
        (QUERY, []),
        (QUERY, ["a refund"]),
        (QUERY, ["the shop", "a refund", "the shop", "a refund"]),
        ("", PASSAGES),
        (" \n\t", PASSAGES),
        (QUERY, ["refund " * 15_000, "", "🙂", "\ud800 refund", "\x00", "ﷺ" * 30_000]),
        ("refund " * 15_000, PASSAGES),
        (QUERY, tuple(PASSAGES)),
        (QUERY, np.array(PASSAGES, object)),
    ],
)
def test_any_text_is_ranked_and_ties_keep_their_order(registry: ModelRegistry, tmp_path: Path, query: str, passages):
    ranked = Reranker.open(root=tmp_path).rank(query, passages)

    assert sorted(found["corpus_id"] for found in ranked) == list(range(len(passages)))
    assert np.isfinite([found["score"] for found in ranked]).all()
    assert ranked == sorted(ranked, key=lambda found: (-found["score"], found["corpus_id"]))
    by_text = {}
    for found in ranked:
        assert by_text.setdefault(passages[found["corpus_id"]], found["score"]) == found["score"]


@pytest.mark.parametrize("is_base", [False, True])
def test_what_is_no_text_is_refused_with_and_without_a_model(registry: ModelRegistry, tmp_path: Path, is_base: bool):
    if is_base:
        registry.rollback(**WHO)
    reranker = Reranker.open(root=tmp_path)

    for query, passages in ((QUERY, "one text"), (QUERY, [None]), (None, PASSAGES), (QUERY, [b"x"])):
        with pytest.raises(TypeError, match="text"):
            reranker.rank(query, passages)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="queries must be a list"):
        reranker.rank_many("one", [PASSAGES])


def test_with_nothing_promoted_the_order_stays_and_that_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    reranker = Reranker.open("production", tmp_path)

    reranker.refresh()
    reranker.refresh()
    ranked = reranker.rank(QUERY, PASSAGES, return_documents=True)

    assert [found["corpus_id"] for found in ranked] == AS_GIVEN
    assert [found["score"] for found in ranked] == [1, 1 / 2, 1 / 3]
    assert (reranker.version, reranker.is_base, reranker.revoked_dataset) == (None, True, None)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        "no reranker is in production: passages stay in the order they come in"
    ]


def test_scores_that_are_no_numbers_leave_the_order(registry: ModelRegistry, tmp_path: Path, monkeypatch, caplog):
    reranker = Reranker.open("production", tmp_path)
    monkeypatch.setattr(BlendScorer, "score_batch", lambda *_: [np.array([1, np.nan, 2], np.float32)])

    assert order(reranker) == AS_GIVEN
    assert "scores that are no numbers" in caplog.text
