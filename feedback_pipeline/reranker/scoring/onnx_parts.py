"""Parts on ONNX Runtime and tokenizers: no torch in the process.

Texts that are scored together are sorted by length and dealt out in batches, so that little is computed for padding.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from feedback_pipeline.reranker.scoring.folder import ModelFolderError, onnx_facts
from feedback_pipeline.reranker.scoring.sharing import Sharing
from feedback_pipeline.reranker.scoring.tokens import Row, TextTokenizer
from feedback_pipeline.reranker.scoring.vectors import RememberedVectors, cosines

BATCH = 16
BATCH_TOKENS = 1024
"""So many texts, and so many tokens with padding, one processor computes at a time: more fall out of its caches."""

_ITEMS_PER_SHARE = 32
_ITEMS_AT_A_TIME = 1_024
"""Of so many texts or pairs the tokens are held: they take far more memory than the texts."""

Item = TypeVar("Item")


class _OnnxPart:
    """One exported model: texts in, one array out. Thread-safe.

    Args:
        folder: with ONNX_FILES.
        max_tokens: tokens of a text that are looked at; no more than the model takes.

    Raises:
        ModelFolderError: a file is missing or damaged.

    """

    def __init__(self, folder: Path, max_tokens: int):
        facts = onnx_facts(folder)
        try:
            self._open(folder, facts, max_tokens)
        except ModuleNotFoundError as error:
            raise ModelFolderError(
                f"a trained reranker needs {error.name}: pip install 'feedback-pipeline[rerank]'"
            ) from error
        except Exception as error:
            # ONNX Runtime and tokenizers share no class of errors below Exception.
            raise ModelFolderError(f"the model in {folder} cannot be read ({error})") from error

    def _open(self, folder: Path, facts: dict[str, Any], max_tokens: int) -> None:
        import onnxruntime

        self.max_tokens = min(max_tokens, int(facts["max_tokens"]))
        self._tokenizer = TextTokenizer(
            folder / "tokenizer.json", self.max_tokens, facts["inputs"], int(facts["pad_token_id"])
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = str(folder / "model.onnx")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._sharing = Sharing()

    def _each(self, function: Callable[[Item], Any], items: Sequence[Item]) -> list[Any]:
        """Return ``function`` of each item, several at a time."""
        shares = [items[start : start + _ITEMS_PER_SHARE] for start in range(0, len(items), _ITEMS_PER_SHARE)]
        done = self._sharing.map(lambda share: [function(item) for item in share], shares)
        return [result for share in done for result in share]

    def _run(self, rows: Sequence[Row]) -> np.ndarray:
        """Return what the model gives for each row of tokens, in order."""
        order = sorted(range(len(rows)), key=lambda number: -len(rows[number]))
        batches = list(_batches(order, [len(row) for row in rows]))
        results = self._sharing.map(lambda batch: self._run_batch([rows[number] for number in batch]), batches)
        return np.concatenate(results)[np.argsort(order, kind="stable")]

    def _run_batch(self, rows: Sequence[Row]) -> np.ndarray:
        return np.asarray(self._session.run(None, self._tokenizer.batch(rows))[0])


class OnnxBiEncoder(_OnnxPart):
    """Cosine of the vectors of query and passage. Vectors of late texts are kept."""

    def __init__(self, folder: Path, max_tokens: int):
        super().__init__(folder, max_tokens)
        self._vectors = RememberedVectors(self.encode)

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the cosine of each (query, passage): float32 of shape (len(pairs),)."""
        return cosines(pairs, self._vectors.of)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the unit vectors of at least one text: float32 of shape (len(texts), dimension)."""
        return np.concatenate([self._encode(some) for some in _slices(texts)])

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        return self._run(self._each(lambda text: self._tokenizer.alone(self._tokenizer.read(text)), texts))


class OnnxCrossEncoder(_OnnxPart):
    """The logit of query and passage read together."""

    def pair_scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the logit of each (query, passage): float32 of shape (len(pairs),)."""
        distinct = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
        scores = np.concatenate([self._logits(some) for some in _slices(list(distinct))])
        return scores[[distinct[pair] for pair in pairs]]

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        read = dict(zip(texts, self._each(self._tokenizer.read, texts), strict=True))
        rows = self._each(lambda pair: self._tokenizer.pair(read[pair[0]], read[pair[1]]), pairs)
        return self._run(rows)[:, 0]


def _slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    yield from (items[start : start + _ITEMS_AT_A_TIME] for start in range(0, len(items), _ITEMS_AT_A_TIME))


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Deal out rows, the longest first, so that none of the batches is too large."""
    batch: list[int] = []
    for number in order:
        # The first row of a batch is its longest.
        if batch and (len(batch) == BATCH or (len(batch) + 1) * lengths[batch[0]] > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(number)
    yield batch
