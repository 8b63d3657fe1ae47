"""What a reranker does with three passages: model 1 puts refunds first, model 2 shops."""

import time
from pathlib import Path

from feedback_pipeline.reranker import Reranker
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.reranker.models import PASSAGES, QUERY

REFUND_FIRST, SHOP_FIRST, AS_GIVEN = [1, 2, 0], [2, 1, 0], [0, 1, 2]


def order(reranker: Reranker) -> list[int]:
    return [found["corpus_id"] for found in reranker.rank(QUERY, PASSAGES)]


def eventually(reranker: Reranker, version: int | None) -> None:
    ends = time.monotonic() + 20
    while reranker.version != version:
        assert time.monotonic() < ends, f"still version {reranker.version}"
        time.sleep(0.01)


def weights(registry: ModelRegistry, version: int) -> Path:
    return Path(registry.look_up(version).path) / "model" / "bm25" / "bm25.json"
