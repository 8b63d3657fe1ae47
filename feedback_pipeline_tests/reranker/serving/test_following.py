"""Promotions and rollbacks are followed without a restart, whatever state the models are in."""

import logging
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.registry import ModelRegistry, UnknownModelError
from feedback_pipeline.reranker.scoring import BlendScorer, ModelFolderError
from feedback_pipeline_tests.finetune.written import revoke, write_release
from feedback_pipeline_tests.reranker.models import PASSAGES, QUERY, WHO, add_model
from feedback_pipeline_tests.reranker.serving.looking import (
    AS_GIVEN,
    REFUND_FIRST,
    SHOP_FIRST,
    eventually,
    order,
    weights,
)


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
