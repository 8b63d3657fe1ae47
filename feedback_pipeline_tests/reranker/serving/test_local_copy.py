"""Models of an object store are copied to this machine."""

import logging
import os
from pathlib import Path

import fsspec
import pytest

from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.models import local_copy
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.finetune.object_store import BUCKET, object_store
from feedback_pipeline_tests.reranker.models import WHO, add_model
from feedback_pipeline_tests.reranker.serving.looking import REFUND_FIRST, SHOP_FIRST, order


def copies(cache: Path) -> list[Path]:
    return sorted((cache / "feedback-pipeline-models").iterdir())


def test_models_of_an_object_store_are_copied_once_whole(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    add_model(bucket, tmp_path, "k1", rare="refund")
    add_model(bucket, tmp_path, "k2", rare="shop")
    registry = ModelRegistry(bucket)
    registry.promote(1, **WHO)
    cache = tmp_path / "cache"

    first = Reranker.open("production", bucket, refresh_seconds=0, cache=cache)
    (copy,) = copies(cache)
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
    assert len(copies(cache)) == 1
    assert copy not in copies(cache)


def test_nothing_but_copies_of_models_is_ever_removed_from_the_folder_that_was_named(bucket: str, tmp_path: Path):
    home = tmp_path / "home"
    own = [".ssh", "photos", "0" * 32, "feedback-pipeline-models/notes", "feedback-pipeline-models/.config"]
    left = [f"feedback-pipeline-models/{'1' * 32}", f"feedback-pipeline-models/.{'2' * 32}.77-88.tmp"]
    for name in (*own, *left):
        (home / name).mkdir(parents=True)
        (home / name / "file").write_text("dear")
        os.utime(home / name, (1, 1))
    add_model(bucket, tmp_path, "k1")

    reranker = Reranker.open("v1", bucket, cache=home)

    assert order(reranker) == REFUND_FIRST
    assert [(home / name / "file").is_file() for name in own] == [True] * len(own)
    assert [name for name in left if (home / name).exists()] == []
    assert len(copies(home)) == 3


def test_without_a_cache_copies_lie_in_the_users_own(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    add_model(bucket, tmp_path, "k1")

    Reranker.open("v1", bucket)

    (copy,) = (tmp_path / "xdg" / "feedback-pipeline" / "models").iterdir()
    assert (copy / "model" / "model.json").is_file()


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
    assert len(copies(tmp_path / "cache")) == 1

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
