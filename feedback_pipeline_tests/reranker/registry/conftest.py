"""A registry with models of which none is in production."""

from pathlib import Path

import pytest

from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.reranker.models import add_model


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """Versions 1 to 3, none of them in production."""
    for number in (1, 2, 3):
        add_model(tmp_path, tmp_path, f"k{number}")
    return ModelRegistry(str(tmp_path))
