"""Places that releases are pulled from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_pipeline_tests.finetune.file_server import FileServer, serving
from feedback_pipeline_tests.finetune.object_store import BUCKET, object_store


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    """A plain HTTP server for the files in ``tmp_path / "root"``."""
    with serving(tmp_path / "root") as about:
        yield about


@pytest.fixture
def bucket() -> Iterator[str]:
    """URL of an empty bucket of an object store."""
    with object_store():
        yield BUCKET
