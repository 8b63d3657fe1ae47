"""A deployment in which rerankers are trained."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from feedback_pipeline.reranker.registry import ModelRegistry
from feedback_pipeline.reranker_training import Retrained, retrain
from feedback_pipeline.store import open_store
from feedback_pipeline.store.interactions import Interaction
from feedback_pipeline_tests.reranker.handbook import released, settings_of


class Deployment:
    """A storage root with a store, and the base retriever already exported where another has done it."""

    def __init__(self, root: Path, exported: Path | None = None, **settings: Any):
        self.settings = settings_of(root, **settings)
        self.store = open_store(self.settings)
        if exported:
            shutil.copytree(exported / "training", root / "training")

    def retrained_on(self, interactions: Iterable[Interaction]) -> Retrained:
        released(self.store, self.settings, interactions)
        return retrain(self.store, self.settings)

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.settings.storage_root)
