"""The base retriever exported once: that takes seconds, and every training starts from it."""

from pathlib import Path

import pytest

from feedback_pipeline_tests.reranker.handbook import thumbs
from feedback_pipeline_tests.reranker.training.deployment import Deployment


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage root that has the exported base retriever."""
    root = tmp_path_factory.mktemp("exported-base")
    deployment = Deployment(root)
    deployment.retrained_on(thumbs(30))
    deployment.store.close()
    return root
