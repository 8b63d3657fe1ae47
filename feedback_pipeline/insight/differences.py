"""The difference of two shares, with a confidence interval that holds for few observations and for shares near 0 and 1.

Source: G. Yan and X. G. Su, *Stratified Wilson and Newcombe Confidence Intervals for Multiple Binomial Proportions*,
Statistics in Biopharmaceutical Research 2(3), 2010, 329–335, with the weights of Mantel and Haenszel. With one stratum
it is the hybrid score interval, method 10, of R. G. Newcombe, *Interval Estimation for the Difference between
Independent Proportions: Comparison of Eleven Methods*, Statistics in Medicine 17, 1998, 873–890.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple


class Stratum(NamedTuple):
    """Observations of two groups under the same conditions, and the successes among them."""

    n1: float
    successes1: float
    n2: float
    successes2: float


@dataclass(frozen=True)
class Difference:
    """Share of successes in group 1 less that in group 2, within strata, and its confidence interval."""

    estimate: float
    low: float
    high: float


def difference(strata: Sequence[Stratum], level: float) -> Difference | None:
    """Return the difference with a two-sided interval that covers the true one with probability ``level``, about.

    A stratum where one group has no observations says nothing; None where no other is left.
    """
    useful = [one for one in strata if one.n1 > 0 and one.n2 > 0]
    if not useful:
        return None
    weights = [one.n1 * one.n2 / (one.n1 + one.n2) for one in useful]
    total = math.fsum(weights)
    parts = [(weight / total, one) for weight, one in zip(weights, useful, strict=True)]
    share1 = math.fsum(weight * one.successes1 / one.n1 for weight, one in parts)
    share2 = math.fsum(weight * one.successes2 / one.n2 for weight, one in parts)
    z = NormalDist().inv_cdf((1 + level) / 2)
    low1, high1 = wilson(share1, 1 / math.fsum(weight**2 / one.n1 for weight, one in parts), z)
    low2, high2 = wilson(share2, 1 / math.fsum(weight**2 / one.n2 for weight, one in parts), z)
    estimate = share1 - share2
    return Difference(
        estimate,
        max(-1.0, estimate - math.hypot(share1 - low1, high2 - share2)),
        min(1.0, estimate + math.hypot(high1 - share1, share2 - low2)),
    )


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share of ``n`` observations, where ``z`` is the quantile of the normal.

    Source: E. B. Wilson, *Probable Inference, the Law of Succession, and Statistical Inference*, Journal of the
    American Statistical Association 22, 1927, 209–212.
    """
    share = min(max(share, 0.0), 1.0)
    centre = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, (centre - half) / (1 + z**2 / n)), min(1.0, (centre + half) / (1 + z**2 / n))
