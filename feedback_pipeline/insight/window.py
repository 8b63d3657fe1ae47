"""The days and weeks that numbers are given for."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

import numpy as np

ONE_DAY = timedelta(days=1)
_MONDAY = 3
"""1 January 1970 was a Thursday: so many days after a Monday."""


@dataclass(frozen=True)
class Window:
    """The last ``count`` UTC days, the day of ``now`` included."""

    now: datetime
    count: int

    @property
    def last(self) -> date:
        """The day of ``now``."""
        return self.now.astimezone(UTC).date()

    @property
    def first(self) -> date:
        """The first day."""
        return self.last - (self.count - 1) * ONE_DAY

    @property
    def start(self) -> datetime:
        """The moment the first day begins."""
        return datetime.combine(self.first, time(), UTC)

    @cached_property
    def days(self) -> list[date]:
        """All days, in order."""
        return [self.first + number * ONE_DAY for number in range(self.count)]

    @cached_property
    def weeks(self) -> list[date]:
        """The Mondays of all weeks that have a day in the window, in order; the first and last may be partial."""
        return sorted({week_of(day) for day in self.days})

    @property
    def ends(self) -> np.ndarray:
        """First and last moment, in seconds since 1970."""
        return np.array([self.start.timestamp(), max(self.now, self.start).timestamp()])

    def day(self, day: date) -> date:
        """Return ``day``, or the last day for one after it: clocks of several machines differ."""
        return min(day, self.last)

    def week(self, day: date) -> date:
        """Return the Monday of the week that ``day`` counts in."""
        return week_of(self.day(day))


def week_of(day: date) -> date:
    """Return the Monday of the (ISO 8601) week of ``day``."""
    return day - day.weekday() * ONE_DAY


def week_numbers(seconds: np.ndarray) -> np.ndarray:
    """Return the number of the week (from Monday, UTC) in which moments, seconds since 1970, fall."""
    return ((np.floor(seconds / ONE_DAY.total_seconds()) + _MONDAY) // 7).astype(np.int64)
