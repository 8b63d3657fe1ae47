"""Embeds one question with tokenizers and ONNX Runtime: milliseconds, and no torch in the process."""

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.example_index.fair_limit import FairLimit, processors
from feedback_pipeline.tables.files import filesystem

_INPUTS = ("input_ids", "attention_mask")
ENCODER_FILES = ("model.onnx", "tokenizer.json", "encoder.json")
"""Files of a published encoder; the last is written last and tells that the others are whole."""
WEIGHTS_FILE = "model.onnx.data"
"""The weights, beside the model, so that the processes of a machine share one copy in memory; an encoder published by
an earlier release has them in the model."""


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
        _refuse_missing(folder, ENCODER_FILES)
        try:
            facts = json.loads((folder / "encoder.json").read_text())
            _refuse_missing(folder, facts.get("further_files", []))
            self._open(folder, facts)
        except EncoderNotFoundError:
            raise
        except Exception as error:
            # ONNX Runtime and tokenizers share no class of errors below Exception.
            raise EncoderNotFoundError(
                f"the query encoder in {folder} cannot be read ({error}); delete that folder and run "
                "'feedback-pipeline run' to publish the encoder again"
            ) from error

    def _open(self, folder: Path, facts: dict[str, Any]) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.dimension: int = facts["dimension"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(facts["max_tokens"])
        # A text is too short to be shared out: threads of its own cost it twice the processor time, most of it waiting.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = str(folder / "model.onnx")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._process, self._slots = os.getpid(), FairLimit(processors())

    def encode(self, text: str) -> np.ndarray:
        """Return the unit vector of one text: float32 of shape (dimension,)."""
        inputs = self._inputs([text])
        with self._limit:
            return self._run(inputs)[0]

    def encode_pair(self, first: str, second: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the unit vectors of two texts: float32 of shape (dimension,) each.

        Each is embedded on a processor of its own where two are free; else both in one go, which takes 1.4 times as
        long as one, for most of the time goes into reading the weights. The two ways differ in the last digits.
        """
        limit = self._limit
        with limit:
            if limit.enter_if_free():
                try:
                    return self._run_apart(first, second)
                finally:
                    limit.leave()
            return self._run_in_one_go(first, second)

    def encode_all(self, texts: list[str]) -> np.ndarray:
        """Return the unit vectors of some texts: float32 of shape (len(texts), dimension)."""
        return np.stack([self.encode(text) for text in texts])

    def _inputs(self, texts: list[str]) -> dict[str, np.ndarray]:
        """Return what the model takes: int64 of shape (len(texts), tokens of the longest) each."""
        # Half of a character pair, which JSON may carry, is no text to the tokenizer.
        all_tokens = [self._tokenizer.encode(text.encode(errors="replace").decode()) for text in texts]
        inputs = {name: np.zeros((len(texts), max(map(len, all_tokens), default=0)), np.int64) for name in _INPUTS}
        for row, tokens in enumerate(all_tokens):
            inputs["input_ids"][row, : len(tokens)] = tokens.ids
            inputs["attention_mask"][row, : len(tokens)] = tokens.attention_mask
        return inputs

    @property
    def _limit(self) -> FairLimit:
        """So many texts at a time; a forked process has slots of its own, whoever held some when it was forked."""
        if self._process != os.getpid():
            self._process, self._slots = os.getpid(), FairLimit(processors())
        return self._slots

    def _run_apart(self, first: str, second: str) -> tuple[np.ndarray, np.ndarray]:
        """Embed the second text in a thread of its own: unlike a pool's, it is there after a fork and at the end."""
        beside: Future[np.ndarray] = Future()
        inputs = self._inputs([second])
        try:
            threading.Thread(target=_into, args=(beside, self._run, inputs), daemon=True).start()
        except RuntimeError:
            # There are too many threads already, or the interpreter is about to end.
            return self._run_in_one_go(first, second)
        return self._run(self._inputs([first]))[0], beside.result()[0]

    def _run_in_one_go(self, first: str, second: str) -> tuple[np.ndarray, np.ndarray]:
        vectors = self._run(self._inputs([first, second]))
        return vectors[0], vectors[1]

    def _run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return np.asarray(self._session.run(None, inputs)[0])


def _into(future: Future[np.ndarray], run: Callable[[dict[str, np.ndarray]], np.ndarray], inputs: Any) -> None:
    """Put the result of a call into ``future``, or what it raises."""
    try:
        future.set_result(run(inputs))
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        future.set_exception(error)


def _refuse_missing(folder: Path, names: Iterable[str]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise EncoderNotFoundError(
            f"{', '.join(missing)} not found in {folder}; run 'feedback-pipeline run' to publish the encoder again"
        )


def open_encoder(root: str, fingerprint: str) -> QueryEncoder:
    """Open the encoder of a model; from a remote storage root it is downloaded once per machine."""
    folder = encoder_folder(root, fingerprint)
    fs, inner = filesystem(folder)
    if isinstance(fs, LocalFileSystem):
        return QueryEncoder(Path(inner))
    local = Path(tempfile.gettempdir()) / "feedback_pipeline_encoders" / fingerprint
    local.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS_FILE, *ENCODER_FILES):
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
