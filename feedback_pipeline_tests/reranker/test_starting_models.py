"""Models that training starts from: what is asked of the Hugging Face hub, and what tells them apart."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from feedback_pipeline.curation.encoder import BUNDLED, ModelNotFoundError, model_folder
from feedback_pipeline.reranker.candidates.bi_encoder import load_encoder
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.candidates.cross_encoder import RerankerBaseError, load_cross_encoder

PROGRAM = """
import json, os, sys
connected = []
sys.addaudithook(lambda event, given: connected.append(event) if event == "socket.connect" else None)
from feedback_pipeline.reranker.candidates.bi_encoder import load_encoder
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.candidates.cross_encoder import RerankerBaseError, load_cross_encoder
encoder, base = sys.argv[1:]
config = TrainingConfig(encoder=encoder, base=base or None, device="cpu")
load_encoder(config)
asked_before = len(connected)
try:
    load_cross_encoder(config)
    said = ""
except RerankerBaseError as error:
    said = str(error)
print(json.dumps([asked_before, len(connected) - asked_before, said, os.environ.get("HF_HUB_OFFLINE")]))
"""


@pytest.fixture
def hub() -> Iterator[str]:
    """A hub that has no model."""
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def loaded(folder: Path, hub: str, encoder: str = BUNDLED, base: str = "", **more: str) -> tuple[int, int, str, str]:
    """Load both; return how often each made it connect to somebody, what was said, and HF_HUB_OFFLINE."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    environment = {**clean, "HF_ENDPOINT": hub, "HF_HOME": str(folder / "cache"), **more}
    command = [sys.executable, "-c", PROGRAM, encoder, base]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=240, check=True)
    before, after, said, offline = json.loads(done.stdout.splitlines()[-1])
    return before, after, said, offline


def test_folders_are_loaded_without_asking_the_hub(tmp_path: Path, hub: str) -> None:
    """Even where a folder is named as a model of the hub may be."""
    shutil.copytree(model_folder(BUNDLED), tmp_path / "somebody" / "model")

    found = loaded(tmp_path, hub, "somebody/model", "somebody/model")

    assert found == (0, 0, "", "1")


def test_a_name_of_the_hub_is_asked_for_there(tmp_path: Path, hub: str) -> None:
    before, after, said, offline = loaded(tmp_path, hub, base="somebody/cross-encoder")

    assert (before, offline) == (0, None)
    assert after > 0
    assert "FEEDBACK_RERANKER_BASE='somebody/cross-encoder' is no cross-encoder that can be loaded" in said


def test_whoever_wants_no_hub_has_none(tmp_path: Path, hub: str) -> None:
    found = loaded(tmp_path, hub, base="somebody/cross-encoder", HF_HUB_OFFLINE="1")

    assert found[:2] == (0, 0)
    assert "is no cross-encoder that can be loaded" in found[2]


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder(BUNDLED), folder, ignore=shutil.ignore_patterns("*.safetensors", "*.bin"))

    with pytest.raises(ModelNotFoundError, match=f"the model in {folder} is incomplete"):
        load_encoder(TrainingConfig(encoder=str(folder), device="cpu"))
    with pytest.raises(RerankerBaseError, match="FEEDBACK_RERANKER_BASE"):
        load_cross_encoder(TrainingConfig(base=str(folder), device="cpu"))


def test_other_weights_under_the_same_path_are_another_training(tmp_path: Path) -> None:
    for name in ("encoder", "base"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(b"one")
    (tmp_path / "encoder" / "modules.json").write_text("[]")
    config = TrainingConfig(encoder=str(tmp_path / "encoder"), base=str(tmp_path / "base"))
    first = config.identity()

    unchanged = config.identity()
    (tmp_path / "base" / "model.safetensors").write_bytes(b"two")
    of_base = config.identity()
    (tmp_path / "encoder" / "model.safetensors").write_bytes(b"two")
    of_encoder = config.identity()

    assert first == unchanged
    assert first != of_base != of_encoder
    assert of_encoder["base"] == str(tmp_path / "base")
    assert json.loads(json.dumps(first)) == first


@pytest.mark.parametrize("base", [None, "somebody/cross-encoder"])
def test_where_no_folder_is_named_the_names_say_it_all(base: str | None) -> None:
    config = TrainingConfig(base=base)

    assert config.identity() == config.as_dict()
    assert replace(config, device="cpu").identity() == config.identity()


def test_an_encoder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="FEEDBACK_EMBEDDING_MODEL"):
        TrainingConfig(encoder=str(tmp_path / "nowhere")).identity()
