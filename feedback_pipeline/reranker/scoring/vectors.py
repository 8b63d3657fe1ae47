"""Vectors of passages that were scored before: the same chunks come up for many queries."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

_PAIRS_AT_A_TIME = 4_096

KEPT = 4_096
"""Texts whose vectors are kept, those asked for last: 6 MiB with 384 dimensions."""


def cosines(pairs: Sequence[tuple[str, str]], vectors_of: Callable[[list[str]], np.ndarray]) -> np.ndarray:
    """Return the product of the unit vectors of each pair of texts: float32 of shape (len(pairs),).

    Each text is embedded once. Vectors are brought together for so many pairs at a time: for all, they would take
    3 kB a pair.
    """
    numbers = {text: number for number, text in enumerate(dict.fromkeys(text for pair in pairs for text in pair))}
    vectors = vectors_of(list(numbers))
    sides = np.array([(numbers[first], numbers[second]) for first, second in pairs], np.int64)
    found = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS_AT_A_TIME):
        some = slice(start, start + _PAIRS_AT_A_TIME)
        found[some] = np.einsum("ij,ij->i", vectors[sides[some, 0]], vectors[sides[some, 1]])
    return found


class RememberedVectors:
    """Calls ``encode`` for texts it has not seen of late. Thread-safe.

    Args:
        encode: gives a vector for each of at least one text.
        kept: how many vectors are kept; the texts themselves are not.

    """

    def __init__(self, encode: Callable[[Sequence[str]], np.ndarray], kept: int = KEPT):
        self._encode, self._kept = encode, kept
        self._vectors: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of at least one text: shape (len(texts), dimension)."""
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        with self._lock:
            found = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in found:
                self._vectors.move_to_end(key)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            new = dict(zip(missing, self._encode(list(missing.values())), strict=True))
            self._remember(new)
            found |= new
        return np.stack([found[key] for key in keys])

    def _remember(self, new: dict[bytes, np.ndarray]) -> None:
        with self._lock:
            for key in list(new)[-self._kept :]:
                # A copy: a view would keep the whole batch in memory.
                self._vectors[key] = new[key].copy()
            while len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)
