"""The examples of one database in memory: a matrix of unit vectors and the rows they stand for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

_DIGITS = 6

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class DatabaseSlice:
    """All examples of one database in one publication.

    Attributes:
        vectors: float32 of shape (rows, dimension), unit length.
        rows: the other columns, in the same order.

    """

    vectors: np.ndarray
    rows: pa.Table

    @classmethod
    def from_table(cls, table: pa.Table) -> DatabaseSlice:
        """Split an Arrow table of index rows into the matrix and the rest, in the order of their ids.

        LanceDB returns rows in the order they were written, which depends on what was published before.
        """
        table = table.sort_by("example_id")
        column = table["vector"].combine_chunks()
        vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)
        return cls(vectors, table.drop_columns(["vector"]))

    @property
    def bytes(self) -> int:
        """Memory held, in bytes."""
        return self.vectors.nbytes + self.rows.nbytes

    def nearest(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return (row number, cosine similarity) of the ``k`` nearest rows, best first; equal scores by row number.

        Similarities are rounded to six digits: beyond these, equal vectors may differ by their place in the matrix.
        """
        scores = np.round(self.vectors @ vector, _DIGITS)
        candidates = np.argpartition(-scores, min(k, len(scores)) - 1)[:k] if len(scores) else np.array([], int)
        # argpartition picks any of several equal scores at the edge, so those are ordered explicitly.
        edge = scores[candidates].min() if len(candidates) else 0.0
        tied = np.flatnonzero(scores >= edge)
        best = tied[np.lexsort((tied, -scores[tied]))][:k]
        return [(int(row), float(scores[row])) for row in best]


class SliceCache:
    """Slices by (publication, database), least recently used dropped beyond ``max_bytes``. Thread-safe."""

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._slices: OrderedDict[tuple[str, str], DatabaseSlice] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str], load: Callable[[], DatabaseSlice]) -> DatabaseSlice:
        """Return the slice of ``key``, loading it if need be."""
        with self._lock:
            if key in self._slices:
                self._slices.move_to_end(key)
                return self._slices[key]
        loaded = load()
        with self._lock:
            self._slices[key] = loaded
            while len(self._slices) > 1 and sum(item.bytes for item in self._slices.values()) > self._max_bytes:
                self._slices.popitem(last=False)
        return loaded

    def forget_others(self, digest: str) -> None:
        """Drop slices of publications that are not live any more."""
        with self._lock:
            for key in [key for key in self._slices if key[0] != digest]:
                del self._slices[key]
