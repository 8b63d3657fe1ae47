"""A small encoder for tests that need vectors and no model."""

import hashlib

import numpy as np


class HashEncoder:
    """An Encoder whose vectors follow from the text's SHA-256: equal texts are equal, others are far apart.

    Attributes:
        seen: all texts it was given.
        fails_after: raises ConnectionError once that many texts were seen.
        answer: given instead of vectors, if set.

    """

    def __init__(self, dimension: int = 8, fingerprint: str = "hash"):
        self.dimension = dimension
        self.fingerprint = fingerprint
        self.seen: list[str] = []
        self.fails_after: int | None = None
        self.answer: np.ndarray | None = None

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return float32 unit vectors of shape (len(texts), dimension)."""
        self.seen += texts
        if self.fails_after is not None and len(self.seen) > self.fails_after:
            raise ConnectionError("the model went away")
        if self.answer is not None:
            return self.answer
        return np.array([self._vector(text) for text in texts], np.float32).reshape(len(texts), self.dimension)

    def _vector(self, text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        vector = np.random.default_rng(seed).normal(size=self.dimension)
        return vector / np.linalg.norm(vector)
