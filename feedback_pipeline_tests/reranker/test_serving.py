"""Reranker: the shape of CrossEncoder.rank, promotions followed without a restart, and never an exception for want of
a model."""

import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pytest

from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.models import local_copy
from feedback_pipeline.reranker.registry import ModelRegistry, UnknownModelError
from feedback_pipeline.reranker.scoring import BlendScorer, ModelFolderError
from feedback_pipeline_tests.finetune.object_store import BUCKET, object_store
from feedback_pipeline_tests.finetune.written import revoke, write_release
from feedback_pipeline_tests.reranker.models import PASSAGES, QUERY, WHO, add_model

REFUND_FIRST, SHOP_FIRST, AS_GIVEN = [1, 2, 0], [2, 1, 0], [0, 1, 2]


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """Version 1 puts refunds first, version 2 shops; version 1 is in production."""
    add_model(tmp_path, tmp_path, "k1", rare="refund")
    add_model(tmp_path, tmp_path, "k2", rare="shop")
    registry = ModelRegistry(str(tmp_path))
    registry.promote(1, **WHO)
    return registry


def order(reranker: Reranker) -> list[int]:
    return [found["corpus_id"] for found in reranker.rank(QUERY, PASSAGES)]


def eventually(reranker: Reranker, version: int | None) -> None:
    ends = time.monotonic() + 20
    while reranker.version != version:
        assert time.monotonic() < ends, f"still version {reranker.version}"
        time.sleep(0.01)


def weights(registry: ModelRegistry, version: int) -> Path:
    return Path(registry.look_up(version).path) / "model" / "bm25" / "bm25.json"


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


def test_promotion_and_rollback_are_followed_without_a_restart(registry: ModelRegistry, tmp_path: Path):
    with Reranker.open("production", tmp_path, refresh_seconds=0.05) as reranker:
        orders = [order(reranker)]

        registry.promote(2, **WHO)
        eventually(reranker, 2)
        orders.append(order(reranker))
        registry.rollback(**WHO)
        eventually(reranker, 1)
        orders.append(order(reranker))
        registry.rollback(**WHO)
        eventually(reranker, None)
        orders.append(order(reranker))

    assert orders == [REFUND_FIRST, SHOP_FIRST, REFUND_FIRST, AS_GIVEN]


def test_the_first_promotion_is_followed_too(tmp_path: Path):
    add_model(tmp_path, tmp_path, "k1")
    with Reranker.open("production", tmp_path, refresh_seconds=0.05) as reranker:
        assert reranker.is_base

        ModelRegistry(str(tmp_path)).promote(1, **WHO)

        eventually(reranker, 1)


def test_a_named_version_stays_whatever_is_promoted(registry: ModelRegistry, tmp_path: Path):
    rerankers = [Reranker.open(reference, tmp_path, refresh_seconds=0.01) for reference in ("v1", 1, "latest")]

    registry.promote(2, **WHO)
    versions = [reranker.refresh() for reranker in rerankers]

    assert versions == [1, 1, 2]
    with pytest.raises(UnknownModelError, match="no reranker model 'v9'"):
        Reranker.open("v9", tmp_path)


def test_a_named_version_that_is_damaged_or_pruned_is_an_error(registry: ModelRegistry, tmp_path: Path):
    weights(registry, 1).write_text("{}")
    add_model(tmp_path, tmp_path, "k3")
    registry.prune(1)

    with pytest.raises(ModelFolderError, match="is not what the manifest says"):
        Reranker.open("v1", tmp_path)
    with pytest.raises(ModelFolderError, match=r"cannot be served: retention, keep 1"):
        Reranker.open("v2", tmp_path)


def test_nobody_waits_while_a_promotion_is_followed(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    reranker = Reranker.open("production", tmp_path, refresh_seconds=0.01)
    opening, go_on = threading.Event(), threading.Event()
    score = BlendScorer.score

    def slowly(*arguments):
        opening.set()
        assert go_on.wait(20)
        return score(*arguments)

    # The next model is tried out before it takes over.
    monkeypatch.setattr(BlendScorer, "score", slowly)

    registry.promote(2, **WHO)
    assert opening.wait(20)
    started = time.monotonic()
    meanwhile = [order(reranker) for _ in range(50)]
    seconds = time.monotonic() - started
    go_on.set()
    eventually(reranker, 2)

    assert meanwhile == [REFUND_FIRST] * 50
    assert seconds < 5
    assert order(reranker) == SHOP_FIRST
    reranker.close()


def test_a_call_is_answered_by_one_model_however_often_production_changes(registry: ModelRegistry, tmp_path: Path):
    reranker = Reranker.open("production", tmp_path, refresh_seconds=0.01)
    stop = threading.Event()

    def ask() -> set[tuple[int, ...]]:
        found = set()
        while not stop.is_set():
            found |= {tuple(place["corpus_id"] for place in one) for one in reranker.rank_many([QUERY], [PASSAGES])}
        return found

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for version in (2, 1, 2, 1, 2):
            registry.promote(version, **WHO)
            eventually(reranker, version)
        stop.set()
        found = set().union(*(future.result() for future in asking))

    assert found == {tuple(REFUND_FIRST), tuple(SHOP_FIRST)}
    reranker.close()


def test_a_damaged_model_leaves_the_former_one_answering_until_it_is_whole(
    registry: ModelRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    reranker = Reranker.open("production", tmp_path, refresh_seconds=0)
    registry.promote(2, **WHO)
    whole = weights(registry, 2).read_bytes()
    weights(registry, 2).write_bytes(whole[:-9])

    for _ in range(3):
        assert reranker.refresh() == 1
    assert order(reranker) == REFUND_FIRST
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "bm25.json is not what the manifest says" in said
    assert "reranker v1 answers until it can" in said

    weights(registry, 2).write_bytes(whole)
    assert reranker.refresh() == 2
    assert order(reranker) == SHOP_FIRST


@pytest.mark.parametrize("damage", ["unlink", "cut", "gone"])
def test_whatever_happens_to_the_pointer_the_model_goes_on(
    registry: ModelRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
):
    reranker = Reranker.open("production", tmp_path, refresh_seconds=0)
    pointer = Path(registry.pointer)
    if damage == "unlink":
        pointer.unlink()
    elif damage == "cut":
        pointer.write_bytes(pointer.read_bytes()[:-5])
    else:
        shutil.move(tmp_path / "models", tmp_path / "elsewhere")

    assert [reranker.refresh() for _ in range(3)] == [1, 1, 1]

    assert order(reranker) == REFUND_FIRST
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_production_that_cannot_be_opened_is_no_exception(
    registry: ModelRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    weights(registry, 1).unlink()

    reranker = Reranker.open("production", tmp_path, refresh_seconds=0)

    assert order(reranker) == AS_GIVEN
    assert reranker.is_base
    assert "no reranker answers until it can" in caplog.text


def test_a_model_of_the_same_number_that_was_made_anew_is_another_one(registry: ModelRegistry, tmp_path: Path):
    reranker = Reranker.open("production", tmp_path, refresh_seconds=0)
    shutil.rmtree(tmp_path / "models")
    add_model(tmp_path, tmp_path, "k9", rare="shop")

    ModelRegistry(str(tmp_path)).promote(1, **WHO)
    reranker.refresh()

    assert order(reranker) == SHOP_FIRST


def test_a_revoked_dataset_is_told_and_does_not_stop_the_model(
    registry: ModelRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    release = write_release(tmp_path, 1, name="reranker")
    reranker = Reranker.open("production", tmp_path, refresh_seconds=0)
    assert reranker.revoked_dataset is None

    revoke(release, replaced_by=2)

    assert reranker.revoked_dataset == "reranker@v1"
    assert order(Reranker.open("production", tmp_path)) == REFUND_FIRST
    assert "reranker v1 was trained on reranker@v1, from which somebody was erased since" in caplog.text


def test_scores_that_are_no_numbers_leave_the_order(registry: ModelRegistry, tmp_path: Path, monkeypatch, caplog):
    reranker = Reranker.open("production", tmp_path)
    monkeypatch.setattr(BlendScorer, "score_batch", lambda *_: [np.array([1, np.nan, 2], np.float32)])

    assert order(reranker) == AS_GIVEN
    assert "scores that are no numbers" in caplog.text


def test_a_reranker_that_is_let_go_or_closed_leaves_no_thread(registry: ModelRegistry, tmp_path: Path):
    def following() -> int:
        return sum(thread.name == "follow-production" for thread in threading.enumerate())

    def ends() -> bool:
        deadline = time.monotonic() + 20
        while following() and time.monotonic() < deadline:
            time.sleep(0.01)
        return following() == 0

    reranker = Reranker.open("production", tmp_path, refresh_seconds=60)
    assert following() == 1
    reranker.close()
    assert ends()
    assert order(reranker) == REFUND_FIRST
    reranker = Reranker.open("production", tmp_path, refresh_seconds=60)
    assert following() == 1
    del reranker
    assert ends()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_ranks_and_follows_too(registry: ModelRegistry, tmp_path: Path):
    reranker = Reranker.open("production", tmp_path, refresh_seconds=0.05)
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def work() -> None:
        sender.send(order(reranker))
        eventually(reranker, 2)
        sender.send(order(reranker))

    follower = reranker._follower
    assert follower
    with follower._looking:
        child = multiprocessing.get_context("fork").Process(target=work, daemon=True)
        child.start()
    assert receiver.poll(60)
    before = receiver.recv()
    registry.promote(2, **WHO)
    assert receiver.poll(60)
    after = receiver.recv()
    child.join(60)
    reranker.close()

    assert (before, after, child.exitcode) == (REFUND_FIRST, SHOP_FIRST, 0)


PROGRAM = """
import json, sys, time
started = time.process_time()
from feedback_pipeline.reranker import Reranker
Reranker.open
imported = time.process_time() - started
reranker = Reranker.open("production", sys.argv[1], refresh_seconds=0.02)
ranked = reranker.rank("refund shop", ["nothing of the kind", "a refund", "the shop"])
print(json.dumps([imported, sorted({name.split(".")[0] for name in sys.modules}), ranked[0]["corpus_id"]]))
"""


def test_the_process_is_small_quick_to_start_and_ends(registry: ModelRegistry, tmp_path: Path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]

    runs = [subprocess.run(command, capture_output=True, text=True, check=True, timeout=60) for _ in range(2)]

    results = [json.loads(run.stdout) for run in runs]
    assert min(seconds for seconds, _, _ in results) < 0.5
    heavy = {"torch", "transformers", "sentence_transformers", "sqlalchemy", "daft", "pandas", "dagster", "lancedb"}
    assert set(results[0][1]).isdisjoint(heavy | {"pyarrow", "sklearn", "scipy", "onnxruntime"})
    assert [first for _, _, first in results] == [1, 1]
    assert [run.stderr for run in runs] == ["", ""]


def test_models_of_an_object_store_are_copied_once_whole(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    add_model(bucket, tmp_path, "k1", rare="refund")
    add_model(bucket, tmp_path, "k2", rare="shop")
    registry = ModelRegistry(bucket)
    registry.promote(1, **WHO)
    cache = tmp_path / "cache"

    first = Reranker.open("production", bucket, refresh_seconds=0, cache=cache)
    (copy,) = cache.iterdir()
    assert order(first) == REFUND_FIRST

    def nothing_to_fetch(*_: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(local_copy, "_download", nothing_to_fetch)
        assert order(Reranker.open("production", bucket, refresh_seconds=0, cache=cache)) == REFUND_FIRST

    (copy / "model" / "bm25" / "bm25.json").write_text("{}")
    assert order(Reranker.open("production", bucket, refresh_seconds=0, cache=cache)) == REFUND_FIRST

    os.utime(copy, (1, 1))
    registry.promote(2, **WHO)
    assert first.refresh() == 2
    assert order(first) == SHOP_FIRST
    assert copy not in list(cache.iterdir())
    assert len(list(cache.iterdir())) == 1


def test_a_download_that_breaks_off_leaves_the_former_model(bucket: str, tmp_path: Path, caplog):
    for key, rare in (("k1", "refund"), ("k2", "shop")):
        add_model(bucket, tmp_path, key, rare=rare)
    registry = ModelRegistry(bucket)
    registry.promote(1, **WHO)
    reranker = Reranker.open("production", bucket, refresh_seconds=0, cache=tmp_path / "cache")
    registry.promote(2, **WHO)
    fs, last = fsspec.core.url_to_fs(f"{bucket}/models/reranker/v2/model/model.json")
    content = fs.cat_file(last)
    fs.rm_file(last)

    assert reranker.refresh() == 1
    assert "model.json" in caplog.text
    assert len(list((tmp_path / "cache").iterdir())) == 1

    fs.pipe_file(last, content[:-4])
    assert reranker.refresh() == 1
    assert "is not what the manifest says" in caplog.text

    fs.pipe_file(last, content)
    assert reranker.refresh() == 2
    assert order(reranker) == SHOP_FIRST


def test_an_object_store_that_does_not_answer_leaves_the_model(tmp_path: Path, caplog):
    with object_store():
        add_model(BUCKET, tmp_path, "k1")
        ModelRegistry(BUCKET).promote(1, **WHO)
        reranker = Reranker.open("production", BUCKET, refresh_seconds=0, cache=tmp_path / "cache")

    assert [reranker.refresh() for _ in range(3)] == [1, 1, 1]

    assert order(reranker) == REFUND_FIRST
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "reranker v1 answers until it can" in said
