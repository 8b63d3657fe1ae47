"""How much there is to learn: voices that make triplets, counted so that nobody brings about a training alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feedback_pipeline.curation.weighting import user_weights

_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Voices:
    """Distinct users and questions that have both good and bad passages; columns of shape (voices,), ordered by key.

    Attributes:
        keys: 64 bits that are the same on every day and machine for the same user, source and canonical question.
        user: number of the user, -1 for all without one.
        cluster: number of the cluster of near-duplicate questions; it may be another one tomorrow.
    """

    keys: np.ndarray
    user: np.ndarray
    cluster: np.ndarray

    def count(self, trained: np.ndarray | None = None, *, max_user_share: float = 1.0) -> int:
        """Return the number of effective triplets: distinct pairs of a user and a cluster, capped per user.

        One user who votes ten thousand times on a question, or on its near-duplicates, counts once; all votes without
        a user count as those of one. Nobody counts for more than ``max_user_share`` of the total (``user_weights``,
        which says what happens where there are too few users).

        Args:
            trained: ``keys`` of what a training has already seen; a user who has been heard on any question of a
                cluster says nothing new about it.
            max_user_share: above 0, up to 1, which limits nobody.
        """
        pairs = self.cluster.astype(np.int64) << 32 | (self.user + 1)
        seen = np.isin(self.keys, np.zeros(0, np.uint64) if trained is None else trained)
        new = np.setdiff1d(pairs, pairs[seen])
        users, counts = np.unique((new & _LOW) - 1, return_counts=True)
        voices = {str(user) if user >= 0 else None: count for user, count in zip(users, counts.tolist(), strict=True)}
        factors = user_weights(voices, max_user_share).factors
        return math.floor(math.fsum(count * factors.get(user or "", 1.0) for user, count in voices.items()) + 1e-9)


def voices_of(
    row_ids: Sequence[str], users: Sequence[str], cluster: np.ndarray, row: np.ndarray, user: np.ndarray
) -> Voices:
    """Return the distinct voices among pairs of a row and a user.

    Args:
        row_ids: 16 hexadecimal digits of each row.
        users: hash of each user.
        cluster: number of the cluster of each row (rows,).
        row: number of the row of each pair (pairs,).
        user: number of its user (pairs,), from ``len(users)`` on of one without.
    """
    pairs = np.unique(row.astype(np.int64) << 32 | np.minimum(user, len(users)))
    row, user = pairs >> 32, pairs & _LOW
    rows = np.array([int(digits, 16) for digits in row_ids], np.uint64)
    hashes = np.array([_hash(one) for one in users] + [0], np.uint64)
    keys = _mixed(rows[row] ^ _mixed(hashes[user]))
    order = np.argsort(keys)
    return Voices(keys[order], np.where(user == len(users), -1, user)[order], cluster[row][order])


def _hash(user: str) -> int:
    return int.from_bytes(hashlib.sha256(user.encode()).digest()[:8])


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return 64 well-mixed bits for each value (SplitMix64; Steele, Lea and Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
