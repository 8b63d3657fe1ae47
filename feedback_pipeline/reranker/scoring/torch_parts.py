"""Parts on torch, through sentence-transformers: in training, and to compare the exported ones with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feedback_pipeline.reranker.scoring.folder import ModelFolderError
from feedback_pipeline.reranker.scoring.vectors import cosines

BATCH = 32


class TorchBiEncoder:
    """Cosine of two vectors of a ``SentenceTransformer``.

    Args:
        model: a loaded ``SentenceTransformer``; its ``max_seq_length`` holds.
        batch: texts that are embedded at a time.

    """

    def __init__(self, model: Any, batch: int = BATCH):
        self.model, self._batch = model, batch

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the cosine of each (query, passage): float32 of shape (len(pairs),)."""
        return cosines(pairs, self.encode)

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return unit vectors: float32 of shape (len(texts), dimension)."""
        vectors = self.model.encode(
            texts, batch_size=self._batch, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, np.float32)


class TorchCrossEncoder:
    """The logit of a ``CrossEncoder`` with one label: what ``predict`` gives before its sigmoid, in the same order.

    Args:
        model: a loaded ``CrossEncoder``; its ``max_seq_length`` holds.
        batch: pairs that are scored at a time.

    """

    def __init__(self, model: Any, batch: int = BATCH):
        self.model, self._batch = model, batch

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the logit of each (query, passage): float32 of shape (len(pairs),)."""
        import torch

        scores = self.model.predict(
            list(pairs), batch_size=self._batch, activation_fn=torch.nn.Identity(), show_progress_bar=False
        )
        return np.asarray(scores, np.float32).reshape(len(pairs))


def open_bi_encoder(folder: Path, max_tokens: int, device: str | None = None) -> TorchBiEncoder:
    """Open a folder saved by ``SentenceTransformer.save_pretrained``. Raises ModelFolderError."""
    from sentence_transformers import SentenceTransformer

    return TorchBiEncoder(_opened(SentenceTransformer, folder, max_tokens, device))


def open_cross_encoder(folder: Path, max_tokens: int, device: str | None = None) -> TorchCrossEncoder:
    """Open a folder saved by ``CrossEncoder.save_pretrained``. Raises ModelFolderError."""
    from sentence_transformers import CrossEncoder

    return TorchCrossEncoder(_opened(CrossEncoder, folder, max_tokens, device))


def _opened(kind: Any, folder: Path, max_tokens: int, device: str | None) -> Any:
    from transformers.utils import logging as transformers_logging

    if not any((folder / name).is_file() for name in ("modules.json", "config.json")):
        raise ModelFolderError(f"{folder} holds no model (no modules.json or config.json)")
    transformers_logging.disable_progress_bar()
    try:
        model = kind(str(folder), device=device, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelFolderError(f"the model in {folder} cannot be read: {error}") from error
    limit = model.max_seq_length
    model.max_seq_length = min(max_tokens, limit) if limit else max_tokens
    model.eval()
    return model
