"""How alike two questions are in shape: the embedding's directions in which paraphrases differ count for less.

Verified examples that share one SQL skeleton ask the same thing in other words. How their masked vectors scatter tells
which differences are a matter of wording, and these are scaled down: within-class covariance normalisation (Hatch,
Kajarekar and Stolcke, *Within-class covariance normalization for SVM-based speaker recognition*, Interspeech 2006),
with the covariance shrunk towards the identity while there is little to tell it from. Of what is left, the directions
in which the questions of a database differ most are kept (principal components): the others are noise, and cost memory.
"""

from dataclasses import dataclass

import numpy as np

DIRECTIONS = 64
"""So many directions tell shapes apart better than all 384 (docs/decisions/0023)."""
_KNOWN_DIRECTIONS = 32
"""What lies outside of these was hardly asked before."""
_SHRINKAGE = 1_000.0
"""So many pairs of paraphrases weigh as much as the assumption that all directions matter alike."""
_MOST_ROWS = 4_096
"""More rows tell hardly more, and cost loading time."""
_LEAST_SHARE = 1e-5
"""Directions that hold less, beside the main one, are what float32 leaves over."""
_LEAST_LENGTH = np.float32(1e-12)


@dataclass(frozen=True)
class ShapeSpace:
    """Where the shapes of one database are compared, and how much evidence that rests on.

    Attributes:
        transform: float32 of shape (dimension, up to DIRECTIONS), or None where vectors are compared as they are.
        asked: a basis of what the questions of the database are about, in which half of them are longer than 1: float32
            of shape (dimension, up to _KNOWN_DIRECTIONS), or None where that is not known.
        paraphrases: how many examples repeat the skeleton of another one.
    """

    transform: np.ndarray | None
    asked: np.ndarray | None
    paraphrases: int

    @property
    def bytes(self) -> int:
        """Memory held, in bytes."""
        return sum(part.nbytes for part in (self.transform, self.asked) if part is not None)

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Return masked vectors of shape (n, dimension) or (dimension,) in this space, of unit length."""
        return vectors if self.transform is None else _unit(vectors @ self.transform)

    def known_share(self, vector: np.ndarray) -> float:
        """Return how much of a masked vector is about what the database is asked: 0 nothing, 1 as much as usual."""
        return 1.0 if self.asked is None else min(float(np.linalg.norm(vector @ self.asked)), 1.0)


def shape_space(vectors: np.ndarray, classes: np.ndarray) -> ShapeSpace:
    """Learn the space of one database; few examples teach nothing.

    Args:
        vectors: masked vectors, float32 of shape (n, dimension), unit length.
        classes: which skeleton each has: int of shape (n,).

    """
    vectors, classes = vectors[:_MOST_ROWS], classes[:_MOST_ROWS]
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    paraphrases = int((sizes - 1).sum())
    if min(vectors.shape) <= DIRECTIONS:
        return ShapeSpace(None, None, paraphrases)
    if paraphrases:
        repeated = sizes[members] > 1
        scales = _whitening(_deviations(vectors[repeated], members[repeated], sizes), paraphrases)
        transform = scales @ _main_directions(_unit(vectors @ scales))
    else:
        transform = _main_directions(vectors)
    asked, _ = np.linalg.qr(transform[:, :_KNOWN_DIRECTIONS])
    usual = np.median(np.linalg.norm(vectors @ asked, axis=1))
    return ShapeSpace(transform, asked / max(usual, _LEAST_LENGTH), paraphrases)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _LEAST_LENGTH)


def _main_directions(vectors: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the directions that hold most of the vectors' length: principal components.

    They are at most DIRECTIONS; those in which the vectors have hardly any length are chance, another on each machine.
    """
    lengths, directions = np.linalg.eigh(vectors.T @ vectors)
    count = min(DIRECTIONS, max(1, int((lengths > _LEAST_SHARE * lengths[-1]).sum())))
    return np.ascontiguousarray(directions[:, : -count - 1 : -1])


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
