"""Exact search of one matrix of unit vectors: little more than the product itself."""

from __future__ import annotations

import numpy as np

DIGITS = 6
"""Similarities are rounded to so many: beyond these, equal vectors may differ by their place in the matrix."""
_ROUNDING = 1.5 * 10**-DIGITS
"""Two similarities this far apart may become equal when rounded, with what float32 adds."""


def nearest(vectors: np.ndarray, vector: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the ``k`` nearest vectors and their cosine similarities, best first; equal ones by row.

    Args:
        vectors: float32 of shape (rows, dimension), unit length.
        vector: float32 of shape (dimension,), unit length.
        k: how many; fewer where there are fewer rows.

    Returns:
        row numbers and float32 similarities rounded to ``DIGITS``, both of shape (min(k, rows),).

    """
    # Row by row in this thread: a product by BLAS waits for threads of its own, which on a busy machine took 20 times
    # as long, and its last digits depend on where a row stands.
    return best_of(np.vecdot(vectors, vector), k)


def best_of(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the ``k`` highest scores and these scores rounded, best first; equal ones by number."""
    if k < len(scores):
        # Only what can be among the best is rounded and sorted, which for thousands of rows is what takes time.
        edge = np.partition(scores, len(scores) - k)[len(scores) - k] - _ROUNDING
        rows = np.flatnonzero(scores >= edge)
    else:
        rows = np.arange(len(scores))
    rounded = np.round(scores[rows], DIGITS)
    order = np.lexsort((rows, -rounded))[:k]
    return rows[order], rounded[order]
