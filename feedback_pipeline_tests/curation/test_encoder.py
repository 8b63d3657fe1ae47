"""The bundled model as an encoder, and how a model is told from another."""

import json
from pathlib import Path

import numpy as np
import pytest

from feedback_pipeline.curation.encoder import ModelNotFoundError, SentenceEncoder, model_fingerprint


def model_at(folder: Path, **files: str) -> Path:
    """Write a model folder; ``__`` in a name stands for ``/``, and a last ``_`` for the dot before the suffix."""
    for name, content in {"modules_json": "[]", **files}.items():
        stem, suffix = name.replace("__", "/").rsplit("_", 1)
        path = folder / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def test_vectors_are_of_length_one_and_stand_in_the_order_of_their_texts():
    encoder, texts = SentenceEncoder(), [f"question number {number}" for number in range(520)]

    vectors = encoder.encode(texts)

    alone = np.concatenate([encoder.encode([texts[place]]) for place in (0, 300, 519)])
    assert vectors.shape == (520, encoder.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[[0, 300, 519]], alone, atol=1e-4)


def test_no_texts_need_no_model():
    assert SentenceEncoder().encode([]).shape == (0, 384)


def test_an_unknown_model_is_named_with_the_way_out(tmp_path: Path):
    with pytest.raises(ModelNotFoundError, match="FEEDBACK_EMBEDDING_MODEL"):
        SentenceEncoder(str(tmp_path / "missing"))


@pytest.mark.parametrize("part", ["model_safetensors", "pytorch_model_bin", "1_Pooling__config_json", "vocab_txt"])
def test_another_weight_tokenizer_or_configuration_is_another_model(part: str, tmp_path: Path):
    one, other = model_at(tmp_path / "one", **{part: "a"}), model_at(tmp_path / "other", **{part: "b"})

    assert model_fingerprint(str(one)) != model_fingerprint(str(other))


def test_what_is_beside_the_model_makes_no_other_model(tmp_path: Path):
    plain = model_at(tmp_path / "plain", config_json=json.dumps({}))
    documented = model_at(tmp_path / "documented", config_json=json.dumps({}), README_md="#", onnx__model_json="x")

    assert model_fingerprint(str(plain)) == model_fingerprint(str(documented))
