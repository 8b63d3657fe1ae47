"""A storage root with two versions, and caches of our own."""

from collections.abc import Iterator
from pathlib import Path

import datasets
import huggingface_hub.constants
import pytest

from feedback_pipeline.settings import get_settings
from feedback_pipeline_tests.finetune.clients.corrections import ROWS, publish
from feedback_pipeline_tests.reranker.samples import publish as publish_queries
from feedback_pipeline_tests.reranker.samples import query


@pytest.fixture(scope="module", autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is cached where users have theirs, and nothing is asked of a hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("huggingface"))
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        datasets.disable_progress_bars()
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The storage root of the settings, with ``text2sql`` v1, which is small, and v2 without six of its rows.

    Beside it ``reranker`` v1, in which one of five queries has passages of one kind only.
    """
    folder = tmp_path_factory.mktemp("storage") / "root"
    publish(folder, range(ROWS // 2))
    publish(folder, range(6, ROWS))
    publish_queries(folder, [query(number, 1 + number % 2, 3 * (number % 5 > 0)) for number in range(60)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEEDBACK_STORAGE_ROOT", str(folder))
        patch.setenv("FEEDBACK_HASH_KEY", "secret")
        get_settings.cache_clear()
        yield folder
    get_settings.cache_clear()
