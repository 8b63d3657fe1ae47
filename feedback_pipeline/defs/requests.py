"""Which runs bring stale days up to date: each day's own tables first, then, once, what is built from all days."""

from collections.abc import Iterator, Sequence

import dagster as dg

_BEHIND_THE_OTHERS = {"dagster/priority": "-1"}


def assets_of_a_day(job: str) -> list[dg.AssetKey]:
    """Return the partitioned assets of a job."""
    names = ["raw_feedback", "checked_feedback", *(["raw_interactions"] if job == "nightly_aggregation" else [])]
    return [dg.AssetKey(name) for name in names]


def requests_for(job: str, days: Sequence[str], reason: str) -> Iterator[dg.RunRequest]:
    """Yield the runs of ``job`` for ``days`` (ISO, in order, at least one); run keys are ``reason/day``.

    All but the last make only the tables of their day. The last one is queued behind them and runs everything, so what
    it publishes has seen all days. A whole run per day would publish states that never were: a correction verified on
    the first day and rejected on the second.
    """
    for day in days[:-1]:
        yield dg.RunRequest(run_key=f"{reason}/{day}", partition_key=day, asset_selection=assets_of_a_day(job))
    yield dg.RunRequest(run_key=f"{reason}/{days[-1]}", partition_key=days[-1], tags=_BEHIND_THE_OTHERS)
