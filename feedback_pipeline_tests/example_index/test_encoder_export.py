"""The exported query encoder embeds like the model it came from."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from feedback_pipeline.curation.encoder import SentenceEncoder
from feedback_pipeline.example_index.encoder_export import export_encoder
from feedback_pipeline.example_index.query_encoder import (
    ENCODER_FILES,
    WEIGHTS_FILE,
    EncoderNotFoundError,
    QueryEncoder,
    open_encoder,
)

TEXTS = [
    "How many orders came from Berlin?",
    "top 5",
    "",
    "naïve 日本語 🙂",
    "orders " * 400,
    "SELECT name FROM singer WHERE country = 'USA'",
]


def test_exported_vectors_equal_the_models(exported_root: Path):
    encoder = SentenceEncoder()
    exported = open_encoder(str(exported_root), encoder.fingerprint)

    vectors = np.stack([exported.encode(text) for text in TEXTS])

    assert exported.dimension == encoder.dimension
    assert np.abs(vectors - encoder.encode(TEXTS)).max() < 1e-3


@pytest.mark.parametrize("callers", [1, 12])
def test_two_texts_embedded_together_have_the_vectors_of_each_alone(exported_root: Path, callers: int):
    """One caller finds a processor free for each text, twelve do not."""
    exported = open_encoder(str(exported_root), SentenceEncoder().fingerprint)
    pairs = [("orders from Berlin", "how many orders came from [city] in the year [number]?"), ("\ud800", "")] * callers

    with ThreadPoolExecutor(callers) as pool:
        found = list(pool.map(lambda pair: exported.encode_pair(*pair), pairs))

    for pair, vectors in zip(pairs, found, strict=True):
        assert np.abs(np.stack(vectors) - exported.encode_all(list(pair))).max() < 1e-5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_embeds_pairs_too(exported_root: Path):
    exported = open_encoder(str(exported_root), SentenceEncoder().fingerprint)
    exported.encode_pair("orders", "orders from [city]")

    def ask() -> None:
        sender.send(exported.encode_pair("orders", "orders from [city]"))

    receiver, sender = multiprocessing.Pipe(duplex=False)
    with exported._limit:
        child = multiprocessing.get_context("fork").Process(target=ask, daemon=True)
        child.start()
    assert receiver.poll(60)
    vectors = receiver.recv()
    child.join(60)

    assert np.abs(np.stack(vectors) - exported.encode_all(["orders", "orders from [city]"])).max() < 1e-5


def test_pairs_are_embedded_while_the_interpreter_ends(exported_root: Path):
    program = """
import sys, threading, time
from feedback_pipeline.example_index.query_encoder import open_encoder
encoder = open_encoder(*sys.argv[1:])
encoder.encode_pair("a", "b")
def late():
    time.sleep(0.5)
    print(len(encoder.encode_pair("orders", "orders from [city]")))
threading.Thread(target=late).start()
"""
    arguments = [sys.executable, "-c", program, str(exported_root), SentenceEncoder().fingerprint]

    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=120)

    assert (ended.returncode, ended.stdout) == (0, "2\n"), ended.stderr


@pytest.mark.parametrize("name", [WEIGHTS_FILE, "model.onnx", "tokenizer.json"])
def test_an_encoder_that_lost_a_file_is_exported_again(exported_root: Path, tmp_path: Path, name: str):
    encoder = SentenceEncoder()
    shutil.copytree(exported_root / "encoders", tmp_path / "encoders")
    (tmp_path / "encoders" / encoder.fingerprint / name).unlink()

    export_encoder(str(tmp_path), encoder)

    assert open_encoder(str(tmp_path), encoder.fingerprint).dimension == encoder.dimension


def test_an_encoder_whose_facts_were_cut_short_is_exported_again(exported_root: Path, tmp_path: Path):
    encoder = SentenceEncoder()
    shutil.copytree(exported_root / "encoders", tmp_path / "encoders")
    (tmp_path / "encoders" / encoder.fingerprint / "encoder.json").write_text('{"dimension": 3')

    export_encoder(str(tmp_path), encoder)

    assert open_encoder(str(tmp_path), encoder.fingerprint).dimension == encoder.dimension


def test_missing_weights_are_named_with_the_way_out(exported_root: Path, tmp_path: Path):
    folder = exported_root / "encoders" / SentenceEncoder().fingerprint
    for name in ENCODER_FILES:
        (tmp_path / name).symlink_to(folder / name)

    with pytest.raises(EncoderNotFoundError, match=rf"{WEIGHTS_FILE} not found .* 'feedback-pipeline run'"):
        QueryEncoder(tmp_path)


def test_weights_cut_short_are_an_error_at_open(exported_root: Path, tmp_path: Path):
    folder = exported_root / "encoders" / SentenceEncoder().fingerprint
    for name in ENCODER_FILES:
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes()[:-4096])

    with pytest.raises(EncoderNotFoundError, match="cannot be read"):
        QueryEncoder(tmp_path)


def test_exporting_again_writes_nothing(exported_root: Path):
    encoder = SentenceEncoder()
    folder = exported_root / "encoders" / encoder.fingerprint
    before = {name: (folder / name).stat().st_mtime_ns for name in ENCODER_FILES}

    export_encoder(str(exported_root), encoder)

    assert {name: (folder / name).stat().st_mtime_ns for name in ENCODER_FILES} == before


def test_half_a_character_pair_is_embedded_like_any_unknown_sign(exported_root: Path):
    exported = open_encoder(str(exported_root), SentenceEncoder().fingerprint)

    assert np.isfinite(exported.encode("ships \ud800")).all()


@pytest.mark.parametrize("name", ENCODER_FILES)
def test_a_missing_file_is_named_with_the_way_out(tmp_path: Path, name: str):
    for other in ENCODER_FILES:
        (tmp_path / other).write_text("{}")
    (tmp_path / name).unlink()

    with pytest.raises(EncoderNotFoundError, match=rf"{name} not found .* 'feedback-pipeline run'"):
        QueryEncoder(tmp_path)


def test_damaged_files_are_named_with_the_way_out(tmp_path: Path):
    for name in ENCODER_FILES:
        (tmp_path / name).write_text("{}")

    with pytest.raises(EncoderNotFoundError, match=r"cannot be read .* delete that folder"):
        QueryEncoder(tmp_path)
