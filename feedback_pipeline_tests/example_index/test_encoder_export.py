"""The exported query encoder embeds like the model it came from."""

from pathlib import Path

import numpy as np
import pytest

from feedback_pipeline.curation.encoder import SentenceEncoder
from feedback_pipeline.example_index.encoder_export import export_encoder
from feedback_pipeline.example_index.query_encoder import (
    ENCODER_FILES,
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


def test_texts_embedded_together_have_the_vectors_of_each_alone(exported_root: Path):
    exported = open_encoder(str(exported_root), SentenceEncoder().fingerprint)
    texts = ["orders from Berlin", "how many orders came from [city] in the year [number]?", "\ud800", ""]

    together = exported.encode_together(texts)

    assert together.shape == (4, exported.dimension)
    assert np.abs(together - exported.encode_all(texts)).max() < 1e-5


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
