"""Vectors: each text is embedded once, a crash loses one step, and what a model gets wrong is not kept."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feedback_pipeline.curation import embedding
from feedback_pipeline.curation.embedding import EmbeddingError, embed
from feedback_pipeline.schemas import MASKED_FEEDBACK, embedded_feedback
from feedback_pipeline.tables.embedding_cache import EmbeddingCache
from feedback_pipeline_tests.encoders import HashEncoder


def deduped(*questions: str) -> pa.Table:
    rows = [
        {
            "example_id": hashlib.sha256(f"{number} {question}".encode()).hexdigest()[:16],
            "database_id": "shop",
            "natural_query": question,
            "canonical_question": question,
            "sql": "SELECT 1",
            "canonical_sql": "SELECT 1",
            "sql_skeleton": "SELECT ?",
            "weight": 1,
            "feedback_ids": [f"f{number}"],
            "source": "user_feedback",
            "cluster_id": "c",
            "masked_query": question,
            "values": [],
        }
        for number, question in enumerate(questions)
    ]
    return pa.Table.from_pylist(rows, MASKED_FEEDBACK)


@pytest.fixture
def encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture
def cache(tmp_path: Path, encoder: HashEncoder) -> EmbeddingCache:
    return EmbeddingCache(str(tmp_path), encoder.fingerprint, encoder.dimension)


def test_each_row_gets_the_vector_of_its_own_text(encoder: HashEncoder, cache: EmbeddingCache):
    questions = ["a long question about ships", "b", "a", "b"]

    result = embed(deduped(*questions), encoder, cache)

    assert result.table.schema == embedded_feedback(encoder.dimension)
    found = np.array(result.table["vector"].to_pylist(), np.float32)
    assert np.array_equal(found, encoder.encode(questions))


def test_only_new_texts_are_embedded(encoder: HashEncoder, cache: EmbeddingCache):
    embed(deduped("a", "b", "b"), encoder, cache)

    result = embed(deduped("a", "b", "c"), encoder, cache)

    assert encoder.seen == ["a", "b", "c"]
    assert (result.new_texts, result.cached_texts) == (1, 2)


def test_nothing_new_asks_the_model_for_nothing(encoder: HashEncoder, cache: EmbeddingCache):
    embed(deduped("a"), encoder, cache)
    encoder.seen.clear()

    result = embed(deduped("a"), encoder, cache)

    assert encoder.seen == []
    assert result.new_texts == 0


def test_no_rows_give_an_empty_table(encoder: HashEncoder, cache: EmbeddingCache):
    assert embed(deduped(), encoder, cache).table.schema == embedded_feedback(encoder.dimension)


def test_another_model_does_not_find_the_vectors_of_this_one(encoder: HashEncoder, tmp_path: Path):
    embed(deduped("a"), encoder, EmbeddingCache(str(tmp_path), encoder.fingerprint, encoder.dimension))
    other = HashEncoder(dimension=4, fingerprint="other")

    result = embed(deduped("a"), other, EmbeddingCache(str(tmp_path), other.fingerprint, other.dimension))

    assert result.new_texts == 1


def test_a_crash_loses_only_the_step_it_happened_in(encoder: HashEncoder, cache: EmbeddingCache):
    step = embedding._TEXTS_PER_STEP
    questions = [f"{number:06d}" for number in range(2 * step + 1)]
    encoder.fails_after = step + 1
    done: list[tuple[int, int]] = []
    with pytest.raises(ConnectionError):
        embed(deduped(*questions), encoder, cache, lambda *progress: done.append(progress))
    encoder.fails_after = None

    result = embed(deduped(*questions), encoder, cache)

    assert done == [(step, 2 * step + 1)]
    assert result.new_texts == step + 1
    assert result.table["vector"].null_count == 0


@pytest.mark.parametrize(
    "wrong",
    [
        np.ones((1, 7), np.float32),
        np.ones((2, 8), np.float32),
        np.ones(8, np.float32),
        np.full((1, 8), np.nan, np.float32),
        np.full((1, 8), np.inf, np.float32),
    ],
)
def test_vectors_that_cannot_be_used_are_refused_and_not_remembered(
    wrong: np.ndarray, encoder: HashEncoder, cache: EmbeddingCache
):
    encoder.answer = wrong

    with pytest.raises(EmbeddingError, match="the embedding model gave"):
        embed(deduped("a"), encoder, cache)

    assert cache.load().num_rows == 0


def test_few_new_texts_are_left_to_the_quick_encoder(encoder: HashEncoder, cache: EmbeddingCache):
    asked: list[list[str]] = []

    def quick(texts: list[str]) -> np.ndarray:
        asked.append(texts)
        return HashEncoder().encode(texts)

    result = embed(deduped("one", "two"), encoder, cache, quick=lambda: quick)
    embed(deduped("one", "two"), encoder, cache, quick=lambda: quick)

    assert asked == [["one", "two"]]
    assert result.new_texts == 2
    assert np.allclose(result.table["vector"].to_pylist(), HashEncoder().encode(["one", "two"]))


def test_without_a_quick_encoder_the_model_does_it(encoder: HashEncoder, cache: EmbeddingCache):
    result = embed(deduped("one"), encoder, cache, quick=lambda: None)

    assert result.new_texts == 1
