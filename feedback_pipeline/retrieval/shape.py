"""How alike two questions are in shape: the embedding's directions in which paraphrases differ count for less.

Verified examples that share one SQL skeleton ask the same thing in other words. How their masked vectors scatter tells
which differences are a matter of wording, and these are scaled down: within-class covariance normalisation (Hatch,
Kajarekar and Stolcke, *Within-class covariance normalization for SVM-based speaker recognition*, Interspeech 2006),
with the covariance shrunk towards the identity while there is little to tell it from.
"""

from dataclasses import dataclass

import numpy as np

_SHRINKAGE = 1_000.0
"""So many pairs of paraphrases weigh as much as the assumption that all directions matter alike."""
_MOST_ROWS = 4_096
"""More rows tell hardly more, and cost loading time."""


@dataclass(frozen=True)
class ShapeSpace:
    """A linear map of masked vectors, and how much evidence it rests on.

    Attributes:
        transform: float32 of shape (dimension, dimension), or None where nothing is known and vectors stay as they are.
        paraphrases: how many examples repeat the skeleton of another one.
    """

    transform: np.ndarray | None
    paraphrases: int

    @property
    def bytes(self) -> int:
        """Memory held, in bytes."""
        return 0 if self.transform is None else self.transform.nbytes

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Return masked vectors of shape (n, dimension) or (dimension,) in this space, of unit length."""
        if self.transform is None:
            return vectors
        mapped = vectors @ self.transform
        return mapped / np.maximum(np.linalg.norm(mapped, axis=-1, keepdims=True), np.float32(1e-12))


def shape_space(vectors: np.ndarray, classes: np.ndarray) -> ShapeSpace:
    """Learn the space of one database.

    Args:
        vectors: masked vectors, float32 of shape (n, dimension), unit length.
        classes: which skeleton each has: int of shape (n,).

    """
    vectors, classes = vectors[:_MOST_ROWS], classes[:_MOST_ROWS]
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    paraphrases = int((sizes - 1).sum())
    repeated = sizes[members] > 1
    if not paraphrases:
        return ShapeSpace(None, 0)
    return ShapeSpace(_whitening(_deviations(vectors[repeated], members[repeated], sizes), paraphrases), paraphrases)


def _deviations(vectors: np.ndarray, members: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return each vector less the mean of its class."""
    sums = np.zeros((len(sizes), vectors.shape[1]), np.float32)
    np.add.at(sums, members, vectors)
    return vectors - sums[members] / sizes[members, None].astype(np.float32)


def _whitening(deviations: np.ndarray, paraphrases: int) -> np.ndarray:
    dimension = deviations.shape[1]
    scatter = (deviations.T @ deviations).astype(np.float64)
    # Equal paraphrases scatter nowhere: then every direction counts alike.
    spread = np.trace(scatter) / paraphrases / dimension or 1.0
    covariance = (scatter + _SHRINKAGE * spread * np.eye(dimension)) / (paraphrases + _SHRINKAGE)
    return np.linalg.inv(np.linalg.cholesky(covariance)).T.astype(np.float32)
