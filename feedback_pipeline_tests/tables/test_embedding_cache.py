"""The cache of vectors: what went in comes out, however many shards it became."""

import threading
import uuid
from pathlib import Path

import numpy as np
import pytest

from feedback_pipeline.tables.embedding_cache import EmbeddingCache, forget, keys_in_cache, text_key


def vector(number: float) -> np.ndarray:
    return np.array([[number, 1.0]], np.float32)


def content(cache: EmbeddingCache) -> dict[str, list[float]]:
    table = cache.load()
    return dict(zip(table["key"].to_pylist(), table["vector"].to_pylist(), strict=True))


@pytest.fixture(params=["disk", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "disk" else f"memory://{uuid.uuid4().hex}"


def test_an_empty_cache_has_no_rows(root: str):
    assert EmbeddingCache(root, "model", 2).load().num_rows == 0


def test_vectors_come_back_under_the_key_of_their_text(root: str):
    cache = EmbeddingCache(root, "model", 2)

    cache.append(["ä", "b"], np.array([[1, 2], [3, 4]], np.float32))

    assert content(EmbeddingCache(root, "model", 2)) == {text_key("ä"): [1.0, 2.0], text_key("b"): [3.0, 4.0]}


def test_models_do_not_share_vectors(root: str):
    EmbeddingCache(root, "model", 2).append(["a"], vector(1))

    assert EmbeddingCache(root, "other", 2).load().num_rows == 0


def test_many_shards_become_few_and_lose_nothing(root: str):
    cache = EmbeddingCache(root, "model", 2)

    for number in range(150):
        cache.append([f"text {number}"], vector(number))

    assert content(cache) == {text_key(f"text {number}"): [number, 1.0] for number in range(150)}
    assert len(cache._shards()) <= 65


def test_appending_the_same_rows_again_and_again_keeps_them(root: str):
    cache = EmbeddingCache(root, "model", 2)
    for number in range(64):
        cache.append([f"text {number}"], vector(number))

    for _ in range(3):
        cache.append(["text 0"], vector(0))

    assert len(content(cache)) == 64


def test_two_writers_merging_at_once_lose_nothing(tmp_path: Path):
    failures: list[OSError] = []

    def append_many(name: str) -> None:
        cache = EmbeddingCache(str(tmp_path), "model", 2)
        try:
            for number in range(140):
                cache.append([f"{name} {number}"], vector(number))
                if number % 10 == 0:
                    assert cache.load().num_rows > number
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=append_many, args=(name,)) for name in ("ann", "ben")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert set(content(EmbeddingCache(str(tmp_path), "model", 2))) == {
        text_key(f"{name} {number}") for name in ("ann", "ben") for number in range(140)
    }


def test_vectors_of_another_dimension_are_refused(tmp_path: Path):
    cache = EmbeddingCache(str(tmp_path), "model", 3)

    with pytest.raises(ValueError):
        cache.append(["a"], vector(1))


def test_vectors_of_some_texts_are_forgotten_in_all_models(root: str):
    for model in ("one", "two"):
        cache = EmbeddingCache(root, model, 4)
        cache.append(["a", "b"], np.eye(2, 4, dtype=np.float32))
        cache.append(["c"], np.eye(1, 4, dtype=np.float32))
    keys = {text_key("a"), text_key("c"), text_key("never seen")}
    assert keys_in_cache(root, keys) == 4

    assert forget(root, keys) == 4

    assert keys_in_cache(root, keys) == 0
    assert EmbeddingCache(root, "two", 4).load()["key"].to_pylist() == [text_key("b")]
    assert forget(root, keys) == 0
