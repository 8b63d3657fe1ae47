"""A trained part as an ONNX file beside it, published only where it gives the scores of the part it came from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feedback_pipeline.example_index.onnx_file import INPUTS, export_onnx, unit_vectors
from feedback_pipeline.reranker.scoring import torch_parts
from feedback_pipeline.reranker.scoring.folder import COUNTING_KINDS, EMBEDDING_KINDS, KINDS, ONNX_FILES
from feedback_pipeline.reranker.scoring.onnx_parts import OnnxBiEncoder, OnnxCrossEncoder
from feedback_pipeline.tables.files import StorageError, write_json

_TOLERANCE = 1e-3
_AS_LONG_AS_POSSIBLE = 1_000_000
_SENTENCE = "Refunds reach your bank account five working days after the parcel has come back. "
_PROBES = [
    ("How long does a refund take?", _SENTENCE),
    ("How long does a refund take?", _SENTENCE * 200),
    ("refund " * 400, "orders from Berlin " * 300),
    ("top 5", "naïve 日本語 🙂"),
    ("a", ""),
    ("", "b"),
]
"""Short and long, cut on one side or both, empty, and beyond ASCII; of very different lengths in one batch."""


class PartExportError(RuntimeError):
    """A part cannot be exported, or its export gives other scores; no export was left behind. The text says which."""


def export_part(folder: Path, kind: str) -> Path:
    """Export ``folder/torch`` to ``folder/onnx`` and return that; what stood there is replaced.

    Args:
        folder: of the part, with ``torch/`` saved by ``SentenceTransformer.save_pretrained`` (``base_cosine``,
            ``bi_encoder``) or ``CrossEncoder.save_pretrained`` (``cross_encoder``).
        kind: the part's kind in ``model.json``.

    Raises:
        ModelFolderError: there is no model in ``folder/torch``.
        PartExportError: it has more than one label, no fast tokenizer, cannot be traced, or the scores of the export
            differ from the model's by more than 1e-3.
        StorageError: the disk is full or the folder cannot be written.

    """
    if kind not in KINDS or kind in COUNTING_KINDS:
        raise ValueError(f"a part of kind {kind!r} has no ONNX form")
    is_embedding = kind in EMBEDDING_KINDS
    open_torch = torch_parts.open_bi_encoder if is_embedding else torch_parts.open_cross_encoder
    part = open_torch(folder / "torch", _AS_LONG_AS_POSSIBLE, "cpu")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".onnx-") as scratch:
        written = Path(scratch) / "onnx"
        _write(written, part.model, kind, is_embedding=is_embedding)
        exported = (OnnxBiEncoder if is_embedding else OnnxCrossEncoder)(written, _AS_LONG_AS_POSSIBLE)
        _compare(folder, part, exported)
        shutil.rmtree(folder / "onnx", ignore_errors=True)
        written.rename(folder / "onnx")
    return folder / "onnx"


def _write(folder: Path, model: Any, kind: str, *, is_embedding: bool) -> None:
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    if tokenizer is None:
        raise PartExportError("the model has no fast tokenizer (tokenizer.json); save it with one, then export again")
    if not is_embedding and model.num_labels != 1:
        raise PartExportError(f"the cross-encoder has {model.num_labels} labels; ranking needs one with num_labels=1")
    try:
        folder.mkdir()
        result, output = (unit_vectors, "unit_vector") if is_embedding else (_logits, "logit")
        export_onnx(model, result, folder / "model.onnx", inputs=_inputs_of(model), output=output)
        tokenizer.save(str(folder / "tokenizer.json"))
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}; free space, then run again") from error
    except RuntimeError as error:
        raise PartExportError(f"the model cannot be exported to ONNX: {str(error).splitlines()[0]}") from error
    facts = {
        "further_files": sorted(path.name for path in folder.iterdir() if path.name not in ONNX_FILES),
        "inputs": _inputs_of(model),
        "kind": kind,
        "max_tokens": int(model.max_seq_length),
        "pad_token_id": int(model.tokenizer.pad_token_id or 0),
    }
    write_json(str(folder / ONNX_FILES[-1]), facts)


def _inputs_of(model: Any) -> Sequence[str]:
    """Return the names of what the tokenizer gives the model."""
    return [name for name in INPUTS if name in model.tokenizer("a", "b")]


def _logits(features: dict[str, Any]) -> Any:
    """Take the scores of pairs out of the features, before any activation."""
    return features["scores"].reshape(-1, 1)


def _compare(folder: Path, part: Any, exported: Any) -> None:
    ours, theirs = exported.pair_scores(_PROBES), part.pair_scores(_PROBES)
    distance = float(np.abs(ours - theirs).max())
    # A NaN is not below the tolerance either.
    if not distance <= _TOLERANCE:
        raise PartExportError(
            f"the ONNX export of {folder} differs from the model by {distance:.2g} (limit {_TOLERANCE}); "
            "choose another FEEDBACK_RERANKER_BASE"
        )
