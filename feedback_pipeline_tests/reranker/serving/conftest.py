"""A registry with a model in production and one to promote."""

from pathlib import Path

import pytest

from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.reranker.models import WHO, add_model


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """Version 1 puts refunds first, version 2 shops; version 1 is in production."""
    add_model(tmp_path, tmp_path, "k1", rare="refund")
    add_model(tmp_path, tmp_path, "k2", rare="shop")
    registry = ModelRegistry(str(tmp_path))
    registry.promote(1, **WHO)
    return registry
