"""From a model folder to a scorer."""

from pathlib import Path
from typing import Literal

from feedback_pipeline.reranker.scoring.blend import BlendScorer, PartScorer
from feedback_pipeline.reranker.scoring.bm25 import Bm25, Bm25Statistics
from feedback_pipeline.reranker.scoring.folder import EMBEDDING_KINDS, ModelFolder, PartSpec
from feedback_pipeline.reranker.scoring.length import Length

Backend = Literal["onnx", "torch"]


def open_scorer(folder: Path, backend: Backend = "onnx", device: str | None = None) -> BlendScorer:
    """Open the model in a local folder.

    Args:
        folder: with ``model.json``.
        backend: ``onnx`` for serving; ``torch`` in training and for comparison, which takes seconds to load.
        device: of torch, such as ``cpu`` or ``cuda``; None: what torch finds best.

    Raises:
        ModelFolderError: the folder is incomplete or damaged.

    """
    described = ModelFolder.read(folder)
    parts = [(spec, open_part(folder, spec, described.max_tokens, backend, device)) for spec in described.parts]
    return BlendScorer(parts)


def open_part(
    folder: Path, spec: PartSpec, max_tokens: int, backend: Backend = "onnx", device: str | None = None
) -> PartScorer:
    """Open one part of the model in ``folder``, to look at no more tokens than it says. Raises ModelFolderError."""
    part = folder / spec.folder
    max_tokens = min(max_tokens, spec.max_tokens or max_tokens)
    if spec.kind == "length":
        return Length(max_tokens)
    if spec.kind == "bm25":
        return Bm25(Bm25Statistics.read(part))
    if backend == "torch":
        from feedback_pipeline.reranker.scoring import torch_parts

        is_embedding = spec.kind in EMBEDDING_KINDS
        open_torch = torch_parts.open_bi_encoder if is_embedding else torch_parts.open_cross_encoder
        return open_torch(part / "torch", max_tokens, device)
    from feedback_pipeline.reranker.scoring import onnx_parts

    kind = onnx_parts.OnnxBiEncoder if spec.kind in EMBEDDING_KINDS else onnx_parts.OnnxCrossEncoder
    return kind(part / "onnx", max_tokens)
