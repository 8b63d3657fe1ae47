"""Vectors for distinct examples; only texts never seen are embedded."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.curation.encoder import Encoder
from feedback_pipeline.schemas import embedded_feedback, require
from feedback_pipeline.tables.embedding_cache import text_key

_EMBEDDED = {"natural_query": "vector", "masked_query": "masked_vector"}
_TEXTS_PER_STEP = 4_096
_FEW_TEXTS = 1_500
"""Up to here a small encoder is done before the bulk model's libraries are even imported."""

Encode = Callable[[list[str]], np.ndarray]
"""Texts to float32 unit vectors of shape (texts, dimension)."""


class EmbeddingError(ValueError):
    """The model gave vectors that cannot be used."""


class VectorCache(Protocol):
    """Where vectors are remembered (see tables.EmbeddingCache)."""

    def load(self) -> pa.Table:
        """Return rows of key and vector."""
        ...

    def append(self, texts: list[str], vectors: np.ndarray) -> None:
        """Remember the vectors of new texts."""
        ...


@dataclass(frozen=True)
class EmbeddingResult:
    """Embedded rows (schemas.embedded_feedback) and how many texts were embedded anew and taken from the cache."""

    table: pa.Table
    new_texts: int
    cached_texts: int


def embed(
    rows: pa.Table,
    encoder: Encoder,
    cache: VectorCache,
    progress: Callable[[int, int], None] = lambda done, total: None,
    quick: Callable[[], Encode | None] = lambda: None,
) -> EmbeddingResult:
    """Add ``vector`` and ``masked_vector`` to each row of schemas.MASKED_FEEDBACK.

    Args:
        rows: distinct examples.
        encoder: embeds ``natural_query`` and ``masked_query``.
        cache: remembers vectors by model and text; each step of 4,096 texts is kept at once, so a crash loses one step.
        progress: told (texts done, texts to do) after each step.
        quick: opens an encoder of the same model for few texts, if there is one; asked only when it is worth it.

    Raises:
        EmbeddingError: the model gave vectors of another number or dimension than it promised, or not finite ones.

    """
    known = cache.load()
    texts = sorted({text for column in _EMBEDDED for text in rows[column].to_pylist()}, key=lambda t: (len(t), t))
    new = _unseen(texts, known["key"])
    encode = (quick() if 0 < len(new) <= _FEW_TEXTS else None) or encoder.encode
    for done, some in _steps(new):
        cache.append(some, _checked(encode(some), len(some), encoder.dimension))
        progress(done, len(new))
    known = cache.load() if new else known
    table = rows
    for column, vector in _EMBEDDED.items():
        table = table.append_column(vector, _vectors_of(rows[column], known))
    table = require(table, embedded_feedback(encoder.dimension), "embedded_feedback")
    return EmbeddingResult(table, len(new), len(texts) - len(new))


def _unseen(texts: list[str], known: pa.ChunkedArray) -> list[str]:
    keys = pa.array([text_key(text) for text in texts], pa.string())
    seen = pc.is_in(keys, value_set=known.combine_chunks())
    return [text for text, is_known in zip(texts, seen.to_pylist(), strict=True) if not is_known]


def _steps(texts: list[str]) -> Iterator[tuple[int, list[str]]]:
    for start in range(0, len(texts), _TEXTS_PER_STEP):
        step = texts[start : start + _TEXTS_PER_STEP]
        yield start + len(step), step


def _checked(vectors: np.ndarray, count: int, dimension: int) -> np.ndarray:
    if vectors.shape != (count, dimension):
        raise EmbeddingError(f"the embedding model gave vectors of shape {vectors.shape}, not {(count, dimension)}")
    if not np.isfinite(vectors).all():
        raise EmbeddingError("the embedding model gave values that are not finite; check FEEDBACK_EMBEDDING_MODEL")
    return vectors


def _vectors_of(texts: pa.ChunkedArray, known: pa.Table) -> pa.Array:
    keys = pa.array([text_key(text) for text in texts.to_pylist()], pa.string())
    positions = pc.index_in(keys, value_set=known["key"].combine_chunks())
    return known["vector"].combine_chunks().take(positions)
