from datetime import date

import pytest

from feedback_pipeline.insight import utilisation
from feedback_pipeline.store import Store
from feedback_pipeline_tests.insight.stories import NOW, tell

HOUR = 3_600


def test_median_and_90th_percentile_are_those_of_what_ended_in_the_window(store: Store) -> None:
    for hours in (1, 2, 3, 4):
        tell(store, ("submitted", 20 + hours), ("verified", 20), ("applied", 20 - hours))

    times = utilisation(store, now=NOW, days=7).times

    assert (times.to_decision.n, times.to_decision.median_s) == (4, pytest.approx(2.5 * HOUR))
    assert times.to_decision.p90_s == pytest.approx(3.7 * HOUR)
    assert times.to_applied.median_s == pytest.approx(5 * HOUR)


def test_a_duration_counts_in_the_week_it_ended_in(store: Store) -> None:
    # Monday of this week began 63 hours ago.
    tell(store, ("submitted", 70), ("verified", 64))
    tell(store, ("submitted", 70), ("verified", 62))

    weeks = utilisation(store, now=NOW, days=10).times.to_decision.weeks

    assert [(week.week, week.n) for week in weeks] == [(date(2026, 3, 9), 1), (date(2026, 3, 16), 1)]
    assert [week.median_s for week in weeks] == [pytest.approx(6 * HOUR), pytest.approx(8 * HOUR)]


def test_only_the_first_decision_and_the_first_time_in_use_count(store: Store) -> None:
    tell(
        store,
        *(("submitted", 40), ("verified", 30), ("applied", 28)),
        *(("reopened", 20), ("rejected", 10), ("reopened", 9), ("verified", 8), ("applied", 1)),
    )

    times = utilisation(store, now=NOW, days=7).times

    assert (times.to_decision.n, times.to_decision.median_s) == (1, pytest.approx(10 * HOUR))
    assert (times.to_applied.n, times.to_applied.median_s) == (1, pytest.approx(12 * HOUR))


def test_what_ended_before_the_window_or_has_not_ended_is_left_out(store: Store) -> None:
    tell(store, ("submitted", 300), ("verified", 290), ("applied", 1))
    tell(store, ("submitted", 3))

    times = utilisation(store, now=NOW, days=2).times

    assert (times.to_decision.n, times.to_decision.median_s, times.to_decision.p90_s) == (0, None, None)
    assert (times.to_applied.n, times.to_applied.median_s) == (1, pytest.approx(299 * HOUR))
