"""The embedding model in the form the query path needs: ONNX and a tokenizer, published beside the index.

A question is embedded with the same weights as the examples, by a process that has neither torch nor transformers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from feedback_pipeline.curation.encoder import SentenceEncoder, load_model, model_folder
from feedback_pipeline.example_index.onnx_file import INPUTS, export_onnx, unit_vectors
from feedback_pipeline.example_index.query_encoder import ENCODER_FILES, WEIGHTS_FILE, QueryEncoder, encoder_folder
from feedback_pipeline.tables.files import filesystem, read_json, write_bytes, write_json

_PROBES = ["How many orders came from Berlin?", "top 5", "list " * 300]
_TOLERANCE = 1e-3


class EncoderExportError(RuntimeError):
    """The exported encoder gives other vectors than the model; it was not published."""


def export_encoder(root: str, encoder: SentenceEncoder) -> str:
    """Write the query encoder of a model below ``root`` unless it is there; return its folder.

    Raises:
        EncoderExportError: vectors of the export differ from the model's by more than 1e-3 in a component.

    """
    folder = encoder_folder(root, encoder.fingerprint)
    if not _is_whole(folder):
        with tempfile.TemporaryDirectory() as scratch:
            _export_to(Path(scratch), encoder)
            _compare(Path(scratch), encoder)
            for name in (WEIGHTS_FILE, *ENCODER_FILES):
                write_bytes(f"{folder}/{name}", (Path(scratch) / name).read_bytes())
    return folder


def _is_whole(folder: str) -> bool:
    """Tell whether all files of a published encoder are there; one of an earlier release has fewer."""
    try:
        facts = read_json(f"{folder}/{ENCODER_FILES[-1]}")
    except ValueError:
        # Cut short: what it describes cannot be opened, so it is written anew.
        return False
    if not isinstance(facts, dict):
        return False
    fs, inner = filesystem(folder)
    return all(fs.exists(f"{inner}/{name}") for name in (*ENCODER_FILES, *facts.get("further_files", [])))


def _export_to(folder: Path, encoder: SentenceEncoder) -> None:
    model = load_model(encoder.name)
    export_onnx(model, unit_vectors, folder / "model.onnx", inputs=INPUTS[:2], output="unit_vector")
    (folder / "tokenizer.json").write_bytes((model_folder(encoder.name) / "tokenizer.json").read_bytes())
    facts = {
        "dimension": encoder.dimension,
        "fingerprint": encoder.fingerprint,
        "further_files": [WEIGHTS_FILE],
        "max_tokens": int(model.max_seq_length),
    }
    write_json(str(folder / "encoder.json"), facts)


def _compare(folder: Path, encoder: SentenceEncoder) -> None:
    exported = QueryEncoder(folder)
    vectors = np.stack([exported.encode(text) for text in _PROBES])
    distance = float(np.abs(vectors - encoder.encode(_PROBES)).max())
    if distance > _TOLERANCE:
        raise EncoderExportError(
            f"the ONNX export of {encoder.name!r} differs from the model by {distance:.2g} (limit {_TOLERANCE}); "
            "choose another FEEDBACK_EMBEDDING_MODEL"
        )
