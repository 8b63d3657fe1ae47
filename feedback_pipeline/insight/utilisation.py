"""All numbers together: what is done with what users say, and whether it helps."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.orm import Session

from feedback_pipeline.insight import durations, lift, people, repeats, statuses, uses
from feedback_pipeline.insight.durations import Times
from feedback_pipeline.insight.lift import Lift
from feedback_pipeline.insight.people import Contributors, Reviewing
from feedback_pipeline.insight.repeats import RepeatRate
from feedback_pipeline.insight.statuses import Statuses
from feedback_pipeline.insight.uses import ExampleShare, Thumbs, Uses
from feedback_pipeline.insight.window import Window
from feedback_pipeline.review.agreement import Agreement, agreement
from feedback_pipeline.store import Store
from feedback_pipeline.store.counting.scope import Scope

MOST_DAYS = 730

_AT_ONCE = 3
"""Matters counted at the same time, each in a transaction of its own: databases use more than one core so."""


@dataclass(frozen=True)
class Utilisation:
    """How well the loop works within a window of UTC days; ``docs/insights.md`` says how each number is counted.

    Attributes:
        as_of: when it was counted (UTC).
        first_day: of the window.
        last_day: of the window, the day of ``as_of``.
        statuses: how many stand where, now and at the end of each day.
        times: from submission to decision and to use.
        examples: which questions were given examples.
        uses: which examples were used most, ever, and how many corrections never.
        repeats: mistakes that had been taught and were made again.
        contributors: how many voices it comes from.
        reviewing: who decides, and what waits.
        thumbs: how answers were rated.
        lift: what examples do to answers, as far as chance withheld them, ever.

    """

    as_of: datetime
    first_day: date
    last_day: date
    statuses: Statuses
    times: Times
    examples: ExampleShare
    uses: Uses
    repeats: RepeatRate
    contributors: Contributors
    reviewing: Reviewing
    thumbs: Thumbs
    lift: Lift

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts and lists; times and days stay what they are."""
        return asdict(self)


def utilisation(
    store: Store, *, now: datetime | None = None, days: int = 90, databases: frozenset[str] | None = None
) -> Utilisation:
    """Count what happened in the last ``days`` UTC days, the day of ``now`` included.

    Args:
        store: what is counted.
        now: the present moment, aware.
        days: from 1 to MOST_DAYS.
        databases: nothing is counted that belongs to another one; None counts everything.

    Raises:
        ValueError: ``days`` is out of bounds.
        StoreUnavailableError: the store cannot be reached.
    """
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"days is {days}: use a number from 1 to {MOST_DAYS}.")
    window = Window(now or datetime.now(UTC), days)
    scope = Scope(window.start, databases)
    matters: dict[str, Callable[[Session], Any]] = {
        "repeats": lambda session: repeats.count(session, scope, window),
        "examples": lambda session: uses.count_lookups(session, scope, window),
        "times": lambda session: durations.count(session, scope, window),
        "uses": lambda session: uses.count_uses(session, scope),
        "statuses": lambda session: statuses.count(session, scope, window),
        "contributors": lambda session: people.count_contributors(session, scope),
        "reviewing": lambda session: people.count_reviewing(session, scope, window, agreed()),
        "thumbs": lambda session: uses.count_thumbs(session, scope, window),
        "lift": lambda session: lift.count(session, scope),
    }

    def agreed() -> Agreement:
        return agreement(store, window.start, databases=databases)

    def counted(matter: str) -> Any:
        with store.read() as session:
            return matters[matter](session)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="insight") as pool:
        results = dict(zip(matters, pool.map(counted, matters), strict=True))
    return Utilisation(window.now, window.first, window.last, **results)
