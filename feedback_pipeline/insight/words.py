"""Numbers as people say them: durations, shares, and the few that matter most."""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from feedback_pipeline.insight.utilisation import Utilisation

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
NOTHING = "–"


@dataclass(frozen=True)
class Headline:
    """A number to begin with: what it is, how much, and what stands behind it."""

    label: str
    value: str
    note: str


def in_words(seconds: float | None) -> str:
    """Return a duration in its two largest units, such as ``3 d 4 h``."""
    if seconds is None:
        return NOTHING
    for (unit, name), (smaller, smaller_name) in pairwise(_UNITS):
        if seconds >= unit:
            rest = int(seconds % unit // smaller)
            return f"{int(seconds // unit)} {name}" + (f" {rest} {smaller_name}" if rest else "")
    return f"{seconds:.0f} s" if seconds >= 1 or not seconds else "under 1 s"


def percent(share: float | None) -> str:
    """Return a share with two digits at least, so that a small one is not rounded away."""
    if share is None:
        return NOTHING
    return f"{share:.0%}" if share >= 0.0995 or not share else f"{share:.1%}"


def points(difference: float | None) -> str:
    """Return the difference of two shares in percentage points, with its sign."""
    return NOTHING if difference is None else f"{100 * difference:+.1f}".replace("-", "−")


def short_day(day: date, *, with_year: bool = False) -> str:
    """Return a day for the axis of a plot, such as ``3 Nov``, or the month and year."""
    return f"{day:%b %Y}" if with_year else f"{day.day} {day:%b}"


def headlines(numbers: Utilisation) -> list[Headline]:
    """Return the numbers to begin with."""
    examples, repeats, reviewing = numbers.examples, numbers.repeats, numbers.reviewing
    applied, people, thumbs = numbers.times.to_applied, numbers.contributors, numbers.thumbs
    oldest = reviewing.oldest_waiting_at
    waited = f"oldest: {in_words((numbers.as_of - oldest).total_seconds())}" if oldest else "nothing waits"
    return [
        Headline("Waiting for review", f"{reviewing.waiting:,}", waited),
        Headline(
            "From submission to use",
            in_words(applied.median_s),
            f"median of {applied.n:,}; 90% within {in_words(applied.p90_s)}" if applied.n else "nothing was applied",
        ),
        Headline(
            "Queries that got an example",
            percent(examples.share),
            f"{examples.with_example:,} of {examples.queries:,}" if examples.queries else "no query looked for one",
        ),
        Headline(
            "Taught mistakes made again",
            percent(repeats.share),
            f"{repeats.repeated:,} of {repeats.mistakes:,} reported" if repeats.mistakes else "no mistake was reported",
        ),
        Headline(
            "Corrections in use",
            f"{numbers.statuses.now['applied']:,}",
            f"{numbers.uses.never_used:,} never given to a query" if numbers.uses.applied else "no use is known yet",
        ),
        Headline(
            "Distinct contributors",
            f"{people.users:,}",
            f"as diverse as {people.effective_users:.1f} giving equally much"
            if people.effective_users
            else "nobody yet",
        ),
        Headline(
            "Thumbs up",
            percent(thumbs.share_up),
            f"{thumbs.up:,} up, {thumbs.down:,} down" if thumbs.up + thumbs.down else "no answer was rated",
        ),
    ]
