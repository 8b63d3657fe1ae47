"""An encoder on a remote storage root is fetched once per machine, and always whole."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from feedback_pipeline.example_index.query_encoder import ENCODER_FILES, EncoderNotFoundError, open_encoder
from feedback_pipeline_tests.encoders import TinyEncoder


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A root in memory that holds the encoder ``tiny``; what is fetched goes below the test's own folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "fetched"))
    (tmp_path / "fetched").mkdir()
    TinyEncoder(str(tmp_path / "local"))
    root = f"memory://{uuid.uuid4().hex}"
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "local" / "encoders"), f"{root}/encoders", recursive=True)
    yield root
    memory.rm(root, recursive=True)


def fetched(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "fetched").rglob("*") if path.is_file())


def test_a_fetched_encoder_embeds_like_the_local_one(remote: str, tmp_path: Path):
    local = open_encoder(str(tmp_path / "local"), "tiny")

    assert np.array_equal(open_encoder(remote, "tiny").encode("tea"), local.encode("tea"))
    assert fetched(tmp_path) == sorted(ENCODER_FILES)


def test_it_is_fetched_once(remote: str):
    open_encoder(remote, "tiny")
    fsspec.filesystem("memory").rm(f"{remote}/encoders/tiny/model.onnx")

    assert open_encoder(remote, "tiny").dimension == 16


def test_an_encoder_that_is_not_there_is_named(remote: str, tmp_path: Path):
    with pytest.raises(EncoderNotFoundError, match="not found"):
        open_encoder(remote, "another")
    assert fetched(tmp_path) == []


def test_a_file_that_is_missing_is_fetched_when_it_comes(remote: str, tmp_path: Path):
    memory, name = fsspec.filesystem("memory"), f"{remote}/encoders/tiny/model.onnx"
    content = memory.cat_file(name)
    memory.rm(name)
    with pytest.raises(EncoderNotFoundError, match=r"model\.onnx not found"):
        open_encoder(remote, "tiny")

    memory.pipe_file(name, content)

    assert open_encoder(remote, "tiny").dimension == 16
    assert fetched(tmp_path) == sorted(ENCODER_FILES)
