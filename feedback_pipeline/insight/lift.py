"""What examples do to the answers they are given for: ratings after their use, and the lift where chance decided."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from feedback_pipeline.insight.differences import Difference, Stratum, difference
from feedback_pipeline.store.counting import outcomes, uses
from feedback_pipeline.store.counting.outcomes import GIVEN, WITHHELD, Outcome
from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.counting.uses import Source
from feedback_pipeline.store.transitions import Status

LEVEL = 0.95
"""Of intervals that are shown."""
CERTAINTY = 0.99
"""Of the interval that proposes retirement. Many examples are looked at, night after night: at 95 % every fortieth
harmless one would be called harmful at each look, at 99 % every two-hundredth."""
FEWEST_JUDGED = 10
"""Judged answers needed with an example and without it. Below that a single vote moves a share by more than a tenth."""
SHOWN = 10


@dataclass(frozen=True)
class Judged:
    """Judged answers: how many, how many of them were good, and what they were told."""

    answers: int = 0
    good: int = 0
    up: int = 0
    down: int = 0
    corrected: int = 0


@dataclass(frozen=True)
class Effect:
    """Answers that chance lets us compare: ``judged`` and ``good`` ones with an example and without it.

    ``lift`` is the share of good answers with it less the share without it, within strata of equal chance; ``low`` and
    ``high`` bound its 95 % confidence interval. All three are None where nothing can be compared.
    """

    judged_with: int = 0
    good_with: int = 0
    judged_without: int = 0
    good_without: int = 0
    lift: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Measured:
    """What became of the judged answers of one example: after its ``use``, where it was ``withheld``, and compared."""

    example_id: str
    use: Judged
    withheld: Judged
    effect: Effect
    strata: tuple[Stratum, ...] = field(default=(), repr=False)

    def is_harmful(self) -> bool:
        """Tell whether answers are worse with it, beyond doubt (``CERTAINTY``, ``FEWEST_JUDGED``)."""
        if min(self.effect.judged_with, self.effect.judged_without) < FEWEST_JUDGED:
            return False
        certain = difference(self.strata, CERTAINTY)
        return certain is not None and certain.high < 0

    def evidence(self) -> dict[str, Any]:
        """Return what speaks for a proposal, as JSON values; the bounds are those of ``CERTAINTY``."""
        found = asdict(self.effect)
        certain = difference(self.strata, CERTAINTY)
        bounds = {} if certain is None else {"low": round(certain.low, 6), "high": round(certain.high, 6)}
        return {**found, **bounds, "certainty": CERTAINTY}


@dataclass(frozen=True, kw_only=True)
class ExampleLift(Effect):
    """The effect of one example that is or was in use.

    ``feedback_id`` is the correction that speaks for it and ``question`` that correction's in safe form, as in
    ``UsedExample``; ``use`` are the judged answers after it was given, whether or not they can be compared.
    """

    example_id: str
    feedback_id: str
    database_id: str
    question: str
    use: Judged


@dataclass(frozen=True)
class Lift:
    """What examples do, as far as chance withheld them.

    Attributes:
        overall: the effect of one example of all: answers with everything that was found against those that went
            without one of it.
        measured: examples with judged answers on both sides.
        examples: those of them whose effect is surest, the harmful ones first.

    """

    overall: Effect
    measured: int
    examples: list[ExampleLift]


def count(session: Session, scope: Scope) -> Lift:
    """Measure the examples of the databases of ``scope`` by everything ever recorded, whatever its window."""
    found = outcomes.outcomes(session, scope)
    compared = [one for one in measure(found) if one.effect.lift is not None]
    sources = _sources(session, scope, [one.example_id for one in compared])
    known = [one for one in compared if one.example_id in sources]
    surest = sorted(known, key=lambda one: (-_distance(one.effect), one.example_id))[:SHOWN]
    surest.sort(key=lambda one: (one.effect.lift, one.example_id))
    return Lift(overall(found), len(known), [_named(one, sources[one.example_id]) for one in surest])


def measure(found: Iterable[Outcome]) -> list[Measured]:
    """Add up the outcomes of each example; by example id."""
    by_example: dict[str, list[Outcome]] = defaultdict(list)
    for one in found:
        by_example[one.example_id].append(one)
    return [_measured(example_id, some) for example_id, some in sorted(by_example.items())]


def overall(found: Iterable[Outcome]) -> Effect:
    """Return the effect of one example of all.

    An answer that was given all of n examples is among the outcomes of each of them, so each counts for an n-th.
    """
    strata = [
        Stratum(with_all.n1 / examples, with_all.successes1 / examples, with_all.n2, with_all.successes2)
        for (examples, _), with_all in _strata(found).items()
    ]
    return _effect(strata)


def _measured(example_id: str, found: Sequence[Outcome]) -> Measured:
    strata = tuple(stratum for _, stratum in sorted(_strata(found).items()))
    use, withheld = (_judged(one for one in found if one.used is used) for used in (True, False))
    return Measured(example_id, use, withheld, _effect(strata), strata)


def _judged(found: Iterable[Outcome]) -> Judged:
    rows = [(one.judged, one.good, one.up, one.down, one.corrected) for one in found]
    return Judged(*(sum(column) for column in zip(*rows, strict=True)))


def _strata(found: Iterable[Outcome]) -> Mapping[tuple[int, float], Stratum]:
    """Return the compared answers by what their chances depended on: how many examples were found, and the rate."""
    counts: dict[tuple[int, float], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in found:
        if one.arm is not None and one.found is not None and one.rate is not None:
            place = {GIVEN: 0, WITHHELD: 2}[one.arm]
            counts[one.found, one.rate][place] += one.judged
            counts[one.found, one.rate][place + 1] += one.good
    return {chances: Stratum(*four) for chances, four in counts.items()}


def _effect(strata: Sequence[Stratum]) -> Effect:
    useful = [one for one in strata if one.n1 and one.n2]
    counts = (round(sum(column)) for column in zip(*useful, strict=True))
    return Effect(*counts, **_rounded(difference(useful, LEVEL)))


def _rounded(found: Difference | None) -> dict[str, float]:
    if found is None:
        return {}
    return {"lift": round(found.estimate, 6), "low": round(found.low, 6), "high": round(found.high, 6)}


def _distance(effect: Effect) -> float:
    """Return how far from 0 the interval lies; below 0 where it holds 0."""
    return max(effect.low or -1.0, -(effect.high if effect.high is not None else 1.0))


def _sources(session: Session, scope: Scope, example_ids: Sequence[str]) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = defaultdict(list)
    for source in uses.sources_of(session, scope, example_ids):
        found[source.example_id].append(source)
    return found


def _named(one: Measured, sources: Sequence[Source]) -> ExampleLift:
    speaking = next((source for source in sources if source.status == Status.APPLIED), sources[0])
    return ExampleLift(
        **asdict(one.effect),
        example_id=one.example_id,
        feedback_id=speaking.feedback_id,
        database_id=speaking.database_id,
        question=speaking.question,
        use=one.use,
    )
