"""Removing the weights of old models."""

import shutil
from pathlib import Path

import pytest

from feedback_pipeline.reranker.models.promotion import (
    PromotionRefusedError,
)
from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline_tests.reranker.models import WHO, add_model


def test_pruning_keeps_the_newest_and_what_was_in_production(registry: ModelRegistry, tmp_path: Path):
    for version in (1, 2):
        registry.promote(version, **WHO)
    for number in (4, 5, 6):
        add_model(tmp_path, tmp_path, f"k{number}")

    assert registry.prune(2) == [3, 4]
    assert registry.prune(2) == []

    left = [sorted(path.name for path in Path(model.path).iterdir()) for model in registry.models()]
    small = ["README.md", "manifest.json", "plots", "report.md"]
    whole = sorted([*small, "model"])
    assert left == [whole, whole, small, small, whole, whole]
    with pytest.raises(PromotionRefusedError, match=r"weights of reranker v3 were removed \(retention, keep 2\)"):
        registry.promote(3, force=True, **WHO)
    model = registry.rollback(**WHO)
    assert model
    assert model.version == 1


def test_a_model_that_was_just_taken_back_survives_pruning(registry: ModelRegistry, tmp_path: Path):
    registry.promote(1, **WHO)
    registry.promote(2, **WHO)
    registry.rollback(**WHO)

    assert registry.prune(1) == []

    registry.promote(2, **WHO)


def test_pruning_finishes_what_a_crash_has_left(registry: ModelRegistry, tmp_path: Path):
    folder = Path(registry.look_up(1).path)
    shutil.copytree(folder / "model", tmp_path / "left")
    registry.prune(1)
    shutil.copytree(tmp_path / "left", folder / "model")

    assert registry.prune(1) == []

    assert not (folder / "model").exists()
