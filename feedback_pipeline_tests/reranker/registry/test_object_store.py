"""Models on an object store, where no lock keeps others away."""

from pathlib import Path

import fsspec
import pytest

from feedback_pipeline.reranker.models.promotion import (
    PromotionRefusedError,
)
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.reranker.models import WHO, add_model
from feedback_pipeline_tests.reranker.registry.looking import in_production


def test_an_object_store_holds_models_too(bucket: str, tmp_path: Path):
    registry = ModelRegistry(bucket)
    models = [add_model(bucket, tmp_path, key) for key in ("k1", "k2", "k2", "k3")]

    registry.promote(1, **WHO)
    registry.promote(3, **WHO)
    registry.rollback(**WHO)

    assert [model.version for model in models] == [1, 2, 2, 3]
    assert in_production(registry) == 1
    assert not list(registry.look_up(3).problems())
    assert registry.prune(1) == [2]
    fs, inner = fsspec.core.url_to_fs(f"{bucket}/models/reranker/v2")
    fs.invalidate_cache()
    assert sorted(path.removeprefix(f"{inner}/") for path in fs.find(inner)) == [
        "README.md",
        "manifest.json",
        "plots/loss.svg",
        "report.md",
    ]
    with fs.open(f"{inner.rsplit('/', 1)[0]}/v3/model/bm25/bm25.json", "wb") as file:
        file.write(b"{}")
    with pytest.raises(PromotionRefusedError, match="v3 is damaged"):
        registry.promote(3, **WHO)
