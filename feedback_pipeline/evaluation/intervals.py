"""Shares with their 95 % intervals, and whether two measurements of the same questions differ.

Wilson's score interval for one share; for the difference of two shares of the same questions Newcombe's method 10
(R. G. Newcombe, Improved confidence intervals for the difference between binomial proportions based on paired data,
Statistics in Medicine 17, 1998, 2635-2650), which holds in small samples and needs no resampling.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """``hits`` of ``n``."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share, None of nothing."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval, None of nothing."""
        if not self.n:
            return None
        from scipy.stats import binomtest

        found = binomtest(self.hits, self.n).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)

    def as_dict(self) -> dict[str, object]:
        """Return share and interval as plain JSON types."""
        return {"hits": self.hits, "n": self.n, "value": self.value, "interval": self.interval}


@dataclass(frozen=True)
class PairedDifference:
    """Two measurements of the same questions.

    Attributes:
        both, only_new, only_old, neither: numbers of questions.
    """

    both: int
    only_new: int
    only_old: int
    neither: int

    @classmethod
    def of(cls, new: Sequence[bool], old: Sequence[bool]) -> "PairedDifference":
        """Count two measurements of the same questions in the same order."""
        pairs = list(zip(new, old, strict=True))
        return cls(*(pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))))

    @property
    def n(self) -> int:
        """Number of questions."""
        return self.both + self.only_new + self.only_old + self.neither

    @property
    def value(self) -> float | None:
        """Share of the new minus share of the old measurement, None of nothing."""
        return (self.only_new - self.only_old) / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Newcombe's 95 % interval of the difference, None of nothing."""
        new, old = Share(self.both + self.only_new, self.n), Share(self.both + self.only_old, self.n)
        if self.value is None or new.interval is None or old.interval is None:
            return None
        p_new, p_old = new.hits / self.n, old.hits / self.n
        below = _distance(p_new - new.interval[0], old.interval[1] - p_old, self._correlation)
        above = _distance(p_old - old.interval[0], new.interval[1] - p_new, self._correlation)
        return self.value - below, self.value + above

    @property
    def chance_of_loss(self) -> float:
        """One-sided exact sign test: how likely at least ``only_old`` losses are where neither is better."""
        if not self.only_old:
            return 1.0
        from scipy.stats import binomtest

        changed = self.only_old + self.only_new
        return float(binomtest(self.only_old, changed, alternative="greater").pvalue)

    @property
    def _correlation(self) -> float:
        a, b, c, d = self.both, self.only_new, self.only_old, self.neither
        margins = (a + b) * (c + d) * (a + c) * (b + d)
        product = a * d - b * c
        if product > 0:
            product = max(product - self.n / 2, 0)
        return product / math.sqrt(margins) if margins else 0.0

    def as_dict(self) -> dict[str, object]:
        """Return the difference as plain JSON types."""
        return {
            "n": self.n,
            "value": self.value,
            "interval": self.interval,
            "better": self.only_new,
            "worse": self.only_old,
        }


def _distance(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(one * one - 2 * correlation * one * other + other * other, 0.0))
