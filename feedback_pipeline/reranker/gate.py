"""Whether a candidate goes live: only where it is surely better than what is there, and nowhere surely worse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np

from feedback_pipeline.reranker.comparison.held_out import JudgedList
from feedback_pipeline.reranker.comparison.ranking_metrics import METRICS
from feedback_pipeline.reranker.evaluate import Figures, Gain, gain, gains, means, weighted_mean, weights_of
from feedback_pipeline.reranker.evaluate import slices_of as _slices_of

PRIMARY = "pairwise_accuracy"
"""What has to gain: users' own comparisons. The other figures must not lose."""
FAVOURITE = "blend"
"""The candidate that is taken where none is surely better."""
FEWEST_IN_SLICE = 8
"""Slices that are worth fewer queries of equal weight are shown and decide nothing."""
_CHANCE = 0.05
"""That a slice seems to have changed although none has: shared by all slices that decide (Bonferroni)."""
_CONTRADICTED = 0.5
_HAIR = 1e-6


@dataclass(frozen=True)
class GatePolicy:
    """What a promotion needs.

    Attributes:
        min_held_out: effective number of held-out queries with good and bad passages (``effective_number``).
        min_users: effective number of users behind the ratings; all ratings without a user are those of one.
    """

    min_held_out: int
    min_users: int


@dataclass(frozen=True)
class Opponent:
    """What the candidate is held against.

    Attributes:
        name: ``base``, ``surfaced order`` or the version in production.
        figures: of it.
        candidate: of the candidate on the same lists.
        is_to_go: it must be replaced, since it was trained on what has been revoked: whoever is not surely worse may.
    """

    name: str
    figures: Figures
    candidate: Figures
    is_to_go: bool = False


@dataclass(frozen=True)
class Comparison:
    """The candidate against one opponent: overall by metric, and by slice in the primary metric.

    ``deciding`` names the slices that are large enough to count; their intervals hold together with 95 %.
    """

    name: str
    means: dict[str, float | None]
    gains: dict[str, Gain]
    slices: dict[str, Gain]
    deciding: frozenset[str]
    is_to_go: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "means": self.means,
            "gains": {metric: one.as_dict() for metric, one in self.gains.items()},
            "slices": {name: one.as_dict() for name, one in self.slices.items()},
        }


@dataclass(frozen=True)
class Decision:
    """What the gate decided, and all it rests on.

    Attributes:
        promoted: whether the candidate is to go live.
        reasons: why not, or what it gains: sentences.
        queries: held-out queries that were compared.
        means: of the candidate by metric.
        comparisons: against each opponent.
    """

    promoted: bool
    reasons: list[str]
    queries: int
    means: dict[str, float | None] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "promoted": self.promoted,
            "reasons": self.reasons,
            "queries": self.queries,
            "means": self.means,
            "against": {one.name: one.as_dict() for one in self.comparisons},
        }


def choose(figures: Mapping[str, Figures], lists: Sequence[JudgedList]) -> str:
    """Return the candidate to be judged: the combination, unless another one is surely better on validation queries.

    The best of several on a few queries is often the luckiest. The combination holds the trained score with the weight
    it has earned, so it has the benefit of the doubt.

    Args:
        figures: of each candidate, by name; in the order of preference where there is no combination.
        lists: validation queries.
    """
    weights = weights_of(lists)
    means_of = {name: weighted_mean(one.of(PRIMARY), weights) or 0.0 for name, one in figures.items()}
    best = max(means_of, key=lambda name: means_of[name])
    if FAVOURITE not in figures or best == FAVOURITE:
        return best
    ahead = gain(figures[best].of(PRIMARY), figures[FAVOURITE].of(PRIMARY), lists)
    return best if ahead.is_sure else FAVOURITE


def decide(
    lists: Sequence[JudgedList], candidate: Figures, opponents: Sequence[Opponent], users: float, policy: GatePolicy
) -> Decision:
    """Return whether the candidate goes live.

    Weights count: of a hundred queries that one capped user rated, and two others, hardly more than those two tell.
    It is refused where too few users or held-out queries stand behind the comparison, where ratings contradict what
    passages say, where the lower bound of its gain in pairwise accuracy over any opponent is not above zero, and where
    another figure or a slice is surely worse (upper bound below zero).

    Args:
        lists: held-out queries that no candidate has seen.
        candidate: figures of the candidate on them.
        opponents: what it is held against; one is named ``base``.
        users: effective number of users whose ratings the dataset rests on.
        policy: what a promotion needs.
    """
    compared = [_comparison(one, lists) for one in opponents]
    refusals = [*_too_little(lists, candidate, users, policy), *_contradicted(lists, opponents)]
    for one in compared:
        refusals += _refusals(one)
    reasons = refusals or [_praise(one) for one in compared]
    return Decision(not refusals, reasons, len(lists), means(candidate, lists), compared)


def _comparison(opponent: Opponent, lists: Sequence[JudgedList]) -> Comparison:
    new, old = opponent.candidate, opponent.figures
    slices, deciding = _by_slice(new.of(PRIMARY), old.of(PRIMARY), lists)
    return Comparison(opponent.name, means(old, lists), gains(new, old, lists), slices, deciding, opponent.is_to_go)


def _by_slice(new: np.ndarray, old: np.ndarray, lists: Sequence[JudgedList]) -> tuple[dict[str, Gain], frozenset[str]]:
    """Return the gain in each slice, and which of them decide.

    The more knowledge bases there are, the surer one of them seems worse by chance: they share that chance.
    """
    masks = _slices_of(lists)
    telling = {name: _telling(list(compress(lists, mask)), (new - old)[mask]) for name, mask in masks.items()}
    deciding = frozenset(name for name, number in telling.items() if number >= FEWEST_IN_SLICE - _HAIR)
    level = 1 - _CHANCE / max(1, len(deciding))
    gained = {name: gain(new[mask], old[mask], list(compress(lists, mask)), level) for name, mask in masks.items()}
    return gained, deciding


def effective_number(weights: np.ndarray) -> float:
    """Return how many equal weights would tell as much as these: (Σw)² / Σw² (Kish 1965); 0 where there are none."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _telling(lists: Sequence[JudgedList], values: np.ndarray) -> float:
    """Return the effective number of clusters of queries that have a value: that have good and bad passages."""
    weights = np.where(np.isnan(values), 0.0, weights_of(lists))
    clusters = np.unique([one.query.cluster_id for one in lists], return_inverse=True)[1] if lists else []
    return effective_number(np.bincount(clusters, weights)) if len(lists) else 0.0


def _too_little(lists: Sequence[JudgedList], candidate: Figures, users: float, policy: GatePolicy) -> list[str]:
    telling = _telling(lists, candidate.of(PRIMARY))
    found = []
    if users < policy.min_users - _HAIR:
        found.append(
            f"the ratings are worth those of {users:.1f} equally busy users; a promotion needs {policy.min_users} "
            "(FEEDBACK_RERANKER_MIN_USERS; ratings without user are those of one)"
        )
    if telling < policy.min_held_out - _HAIR:
        found.append(
            f"the held-out queries with good and bad passages are worth {telling:.1f} of equal weight; a promotion "
            f"needs {policy.min_held_out} (FEEDBACK_RERANKER_MIN_HELD_OUT)"
        )
    return found


def _contradicted(lists: Sequence[JudgedList], opponents: Sequence[Opponent]) -> list[str]:
    """Tell where users seem to prefer what has nothing to do with their question: thumbs are swapped, or made up."""
    base = next(one.figures for one in opponents if one.name == "base").of(PRIMARY)
    above_chance = gain(base, np.full(len(base), _CONTRADICTED), lists)
    if not above_chance.is_surely_worse:
        return []
    share = (above_chance.estimate or 0) + _CONTRADICTED
    return [
        f"the ratings contradict the passages: the untrained retriever agrees with {share:.0%} of them, surely less "
        "than chance; thumbs may be swapped where they are recorded"
    ]


def _refusals(one: Comparison) -> list[str]:
    found = []
    first = one.gains[PRIMARY]
    if one.is_to_go:
        if first.is_surely_worse:
            found.append(f"worse than {one.name}: {PRIMARY} {_told(first)}")
    elif not first.is_sure:
        found.append(f"no sure gain over {one.name}: {PRIMARY} {_told(first)}")
    worse = [metric for metric in METRICS if metric != PRIMARY and one.gains[metric].is_surely_worse]
    found += [f"worse than {one.name} in {metric}: {_told(one.gains[metric])}" for metric in worse]
    for name, sliced in one.slices.items():
        if sliced.is_surely_worse and name in one.deciding:
            found.append(f"worse than {one.name} on {name}: {PRIMARY} {_told(sliced)}")
    return found


def _praise(one: Comparison) -> str:
    if one.is_to_go and not one.gains[PRIMARY].is_sure:
        return f"not worse than {one.name}, whose dataset was revoked: {PRIMARY} {_told(one.gains[PRIMARY])}"
    return f"better than {one.name}: {PRIMARY} {_told(one.gains[PRIMARY])}"


def _told(one: Gain) -> str:
    if one.estimate is None:
        return "cannot be told, no held-out query has good passages and others that users rated down"
    if one.low is None or one.high is None:
        return f"{one.estimate:+.1%} on one cluster of queries, which tells nothing"
    return f"{one.estimate:+.1%} ({one.low:+.1%} to {one.high:+.1%}, {one.queries} queries)"
