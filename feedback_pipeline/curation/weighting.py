"""How much each user's voice weighs, so that nobody makes up more than their share of what is taught.

A voice is a distinct example that a user stands behind; repeats of it are the same voice. Users with more than the
largest share of all voices are scaled down until they hold that share, and everybody else counts in full.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MIN_VOICES = 100
"""Sets with fewer voices are left as they are: in them a large share is chance, not dominance."""

_TOLERANCE = 1e-9
_SHOWN_CHARACTERS = 8


@dataclass(frozen=True)
class UserShare:
    """One user's part of all weight; ``user`` is the beginning of the hash, None for feedback without user."""

    user: str | None
    voices: int
    factor: float
    share_before: float
    share_after: float


@dataclass(frozen=True)
class UserWeights:
    """What one voice of each user counts.

    Attributes:
        factors: of users who are scaled down; everybody else counts 1.
        shares: every user, largest share before first; feedback without user is one entry.
    """

    factors: Mapping[str, float]
    shares: tuple[UserShare, ...]

    @property
    def largest_before(self) -> float:
        """The largest share of one user if nobody were scaled down."""
        return max((share.share_before for share in self._users()), default=0.0)

    @property
    def largest_after(self) -> float:
        """The largest share of one user as weights are."""
        return max((share.share_after for share in self._users()), default=0.0)

    def _users(self) -> list[UserShare]:
        return [share for share in self.shares if share.user is not None]

    def report(self, limit: int = 10) -> list[dict[str, object]]:
        """Return the users with the largest shares as plain JSON types, numbered: it is kept where no hash belongs."""
        return [
            {
                "user": f"user {number}" if share.user else "(without user)",
                "voices": share.voices,
                "factor": share.factor,
                "share_before": round(share.share_before, 4),
                "share_after": round(share.share_after, 4),
            }
            for number, share in enumerate(self.shares[:limit], start=1)
        ]


def user_weights(voices: Mapping[str | None, int], max_user_share: float) -> UserWeights:
    """Return what a voice of each user counts, so that none holds more than ``max_user_share`` of all weight.

    Factors are rounded down to two significant digits: a weight that changes rewrites its row in the index, which
    should not happen every night. Rounding may leave the largest share a tenth above the limit, never more.

    Where there are too few users to keep the limit (fewer than 1 / ``max_user_share``, and no feedback without user),
    all weigh as much as the smallest of them.

    Args:
        voices: distinct examples per user hash; None is feedback without user, brought in by the team: it is trusted,
            never scaled down, and counts in the total.
        max_user_share: above 0, up to 1, which limits nobody.
    """
    users = sorted(user for user in voices if user is not None)
    counts = np.array([voices[user] for user in users], dtype=np.float64)
    trusted = float(voices.get(None, 0))
    cap = _cap(np.sort(counts), trusted, max_user_share)
    factors = {user: _rounded_down(cap / voices[user]) for user in users if voices[user] > cap + _TOLERANCE}
    return UserWeights(factors, _shares(voices, factors))


def _cap(ascending: np.ndarray, trusted: float, share: float) -> float:
    """Return the most voices one user may count for.

    It is the largest c with c ≤ share · (trusted + Σ min(voices, c)). The right side less the left is concave in c, so
    the users it holds for come first in ascending order, and the solution lies between two of them.
    """
    users = len(ascending)
    if trusted + ascending.sum() < MIN_VOICES or not users:
        return math.inf
    below = np.concatenate([[0.0], np.cumsum(ascending)])
    totals = trusted + below[1:] + ascending * (users - 1 - np.arange(users))
    within = int(np.count_nonzero(share * totals - ascending >= -_TOLERANCE * ascending))
    if within == users:
        return math.inf
    solved = share * (trusted + below[within]) / (1 - share * (users - within))
    return solved if solved > 0 else float(ascending[0])


def _rounded_down(factor: float) -> float:
    digits = 1 - math.floor(math.log10(factor))
    # A hair is added first, so that 0.29 is not taken for 0.28999… and lowered once more.
    return math.floor(factor * 10**digits * (1 + _TOLERANCE)) / 10**digits


def _shares(voices: Mapping[str | None, int], factors: Mapping[str, float]) -> tuple[UserShare, ...]:
    weights = {user: count * (1.0 if user is None else factors.get(user, 1.0)) for user, count in voices.items()}
    before, after = sum(voices.values()) or 1, math.fsum(weights.values()) or 1.0
    shares = [
        UserShare(
            user[:_SHOWN_CHARACTERS] if user is not None else None,
            count,
            factors.get(user, 1.0) if user is not None else 1.0,
            count / before,
            weights[user] / after,
        )
        for user, count in sorted(voices.items(), key=lambda item: (-item[1], item[0] or ""))
    ]
    return tuple(shares)
