"""Embeds one question with tokenizers and ONNX Runtime: milliseconds, and no torch in the process."""

import json
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.example_index.fair_limit import FairLimit
from feedback_pipeline.tables.files import filesystem

_INPUTS = ("input_ids", "attention_mask")
ENCODER_FILES = ("model.onnx", "tokenizer.json", "encoder.json")
"""Files of a published encoder; the last is written last and tells that the others are whole."""


class EncoderNotFoundError(LookupError):
    """The encoder published with an index is missing or incomplete."""


def encoder_folder(root: str, fingerprint: str) -> str:
    """Return where the query encoder of a model lies below a storage root."""
    return f"{root.rstrip('/')}/encoders/{fingerprint}"


class QueryEncoder:
    """A published encoder. Thread-safe; as many texts are embedded at a time as there are processors.

    Args:
        folder: local folder with ENCODER_FILES.

    Raises:
        EncoderNotFoundError: a file is missing or damaged.

    """

    def __init__(self, folder: Path):
        missing = [name for name in ENCODER_FILES if not (folder / name).is_file()]
        if missing:
            raise EncoderNotFoundError(
                f"{', '.join(missing)} not found in {folder}; run 'feedback-pipeline run' to publish the encoder again"
            )
        try:
            self._open(folder)
        except Exception as error:
            # ONNX Runtime and tokenizers share no class of errors below Exception.
            raise EncoderNotFoundError(
                f"the query encoder in {folder} cannot be read ({error}); delete that folder and run "
                "'feedback-pipeline run' to publish the encoder again"
            ) from error

    def _open(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        facts = json.loads((folder / "encoder.json").read_text())
        self.dimension: int = facts["dimension"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(facts["max_tokens"])
        # A text is too short to be shared out: threads of its own cost it twice the processor time, most of it waiting.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = str(folder / "model.onnx")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._limit = FairLimit(_processors())

    def encode(self, text: str) -> np.ndarray:
        """Return the unit vector of one text: float32 of shape (dimension,)."""
        # Half of a character pair, which JSON may carry, is no text to the tokenizer.
        tokens = self._tokenizer.encode(text.encode(errors="replace").decode())
        inputs = {
            "input_ids": np.array([tokens.ids], dtype=np.int64),
            "attention_mask": np.array([tokens.attention_mask], dtype=np.int64),
        }
        with self._limit:
            return np.asarray(self._session.run(None, inputs)[0])[0]

    def encode_together(self, texts: list[str]) -> np.ndarray:
        """Return the unit vectors of a few texts of like length, in one go: float32 of shape (len(texts), dimension).

        Two take 1.4 times as long as one, for most of the time goes into reading the weights. Vectors differ from
        those of ``encode`` in the last digits.
        """
        all_tokens = [self._tokenizer.encode(text.encode(errors="replace").decode()) for text in texts]
        inputs = {name: np.zeros((len(texts), max(map(len, all_tokens), default=0)), np.int64) for name in _INPUTS}
        for row, tokens in enumerate(all_tokens):
            inputs["input_ids"][row, : len(tokens)] = tokens.ids
            inputs["attention_mask"][row, : len(tokens)] = tokens.attention_mask
        with self._limit:
            return np.asarray(self._session.run(None, inputs)[0])

    def encode_all(self, texts: list[str]) -> np.ndarray:
        """Return the unit vectors of some texts: float32 of shape (len(texts), dimension)."""
        return np.stack([self.encode(text) for text in texts])


def _processors() -> int:
    # Fewer than the machine has where this process is kept to some of them.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_encoder(root: str, fingerprint: str) -> QueryEncoder:
    """Open the encoder of a model; from a remote storage root it is downloaded once per machine."""
    folder = encoder_folder(root, fingerprint)
    fs, inner = filesystem(folder)
    if isinstance(fs, LocalFileSystem):
        return QueryEncoder(Path(inner))
    local = Path(tempfile.gettempdir()) / "feedback_pipeline_encoders" / fingerprint
    local.mkdir(parents=True, exist_ok=True)
    for name in ENCODER_FILES:
        if not (local / name).is_file():
            _download(fs, f"{inner}/{name}", local / name)
    return QueryEncoder(local)


def _download(fs: AbstractFileSystem, source: str, target: Path) -> None:
    """Fetch a file so that ``target`` is always whole; a missing one is left for QueryEncoder to name."""
    temporary = target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        fs.get_file(source, str(temporary))
        temporary.replace(target)
    except FileNotFoundError:
        return
    finally:
        temporary.unlink(missing_ok=True)
