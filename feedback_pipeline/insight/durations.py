"""How long feedback waits for a decision, and until it is of use."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from feedback_pipeline.insight.window import Window, week_numbers
from feedback_pipeline.store.counting import passages
from feedback_pipeline.store.counting.passages import Passage
from feedback_pipeline.store.counting.scope import Scope


@dataclass(frozen=True)
class Duration:
    """Median and 90th percentile in seconds of ``n`` durations (linear interpolation); None where there are none."""

    n: int
    median_s: float | None
    p90_s: float | None


@dataclass(frozen=True)
class WeekDuration(Duration):
    """Those that ended in the week that begins on the Monday ``week``."""

    week: date


@dataclass(frozen=True)
class Durations(Duration):
    """Those that ended in the window, and week by week."""

    weeks: list[WeekDuration]


@dataclass(frozen=True)
class Times:
    """From submission to the first decision (verified, rejected, edited), and to when it or its edit was applied."""

    to_decision: Durations
    to_applied: Durations


def count(session: Session, scope: Scope, window: Window) -> Times:
    """Measure what was decided, or applied, in ``window`` for the first time."""
    return measure(passages.passages(session, scope), window)


def measure(found: Iterable[Passage], window: Window) -> Times:
    """Return the durations among ``found`` that ended in ``window``; one counts in the week in which it ended."""
    moments = np.array(list(found), dtype=float).reshape(-1, len(Passage._fields))
    submitted, decided, applied = moments.T
    return Times(_between(submitted, decided, window), _between(submitted, applied, window))


def _between(begin: np.ndarray, end: np.ndarray, window: Window) -> Durations:
    # Comparing with NaN, which stands for what has not happened, is false.
    counted = (end >= window.start.timestamp()) & ~np.isnan(begin)
    # Clocks of two machines may differ: nothing ends before it begins.
    seconds, ends = np.maximum(end[counted] - begin[counted], 0), end[counted]
    numbers = np.clip(week_numbers(ends), *week_numbers(window.ends)) - week_numbers(window.ends)[0]
    weeks = [WeekDuration(**_summary(seconds[numbers == n]), week=week) for n, week in enumerate(window.weeks)]
    return Durations(**_summary(seconds), weeks=weeks)


def _summary(seconds: np.ndarray) -> dict[str, Any]:
    if not seconds.size:
        return {"n": 0, "median_s": None, "p90_s": None}
    median, p90 = np.percentile(seconds, [50, 90])
    return {"n": int(seconds.size), "median_s": round(float(median), 3), "p90_s": round(float(p90), 3)}
