from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from feedback_pipeline.insight import utilisation
from feedback_pipeline.store import Status, Store, allowed_events, status_after
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline_tests.insight.stories import NOW, Step, ago, tell


def test_each_day_tells_what_happened_on_it_and_where_feedback_stood_at_its_end(store: Store) -> None:
    tell(store, ("submitted", 49), ("verified", 30), ("applied", 2))
    tell(store, ("submitted", 48), ("rejected", 1))
    tell(store, ("submitted", 1))

    counted = utilisation(store, now=NOW, days=3).statuses

    assert [day.day for day in counted.days] == [date(2026, 3, 16), date(2026, 3, 17), date(2026, 3, 18)]
    assert [(d.submitted, d.verified, d.rejected, d.applied) for d in counted.days] == [
        (2, 0, 0, 0),
        (0, 1, 0, 0),
        (1, 0, 1, 1),
    ]
    assert [{s: n for s, n in day.standing.items() if n} for day in counted.days] == [
        {"pending": 2},
        {"pending": 1, "verified": 1},
        {"pending": 1, "rejected": 1, "applied": 1},
    ]
    assert counted.now == counted.days[-1].standing


def test_what_happened_before_the_window_stands_in_its_first_day(store: Store) -> None:
    tell(store, ("submitted", 500), ("verified", 400), ("applied", 300), ("superseded", 5))

    [yesterday, today] = utilisation(store, now=NOW, days=2).statuses.days

    assert (yesterday.standing["applied"], yesterday.standing["superseded"]) == (1, 0)
    assert (today.standing["applied"], today.standing["superseded"]) == (0, 1)


def test_what_a_clock_that_is_ahead_recorded_counts_today(store: Store) -> None:
    tell(store, ("submitted", -20))

    [today] = utilisation(store, now=NOW, days=1).statuses.days

    assert (today.submitted, today.standing["pending"]) == (1, 1)


def test_checks_move_nothing_and_do_not_hide_where_feedback_came_from(store: Store) -> None:
    tell(store, ("submitted", 60), ("checked", 59), ("verified", 30), ("checked", 29), ("rejected", 2))

    days = utilisation(store, now=NOW, days=3).statuses.days

    assert [{s: n for s, n in day.standing.items() if n} for day in days] == [
        {"pending": 1},
        {"verified": 1},
        {"rejected": 1},
    ]


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Draw what happens to one feedback: only what may, over some 12 days."""
    hours = sorted(draw(st.lists(st.floats(0, 300), min_size=1, max_size=7)), reverse=True)
    steps: list[Step] = [("submitted", hours[0])]
    for hour in hours[1:]:
        if events := allowed_events(status_after(step[0] for step in steps)):
            steps.append((draw(st.sampled_from(events)).value, hour))
    return steps


@given(stories=st.lists(histories(), max_size=6), days=st.integers(1, 15))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_at_the_end_of_each_day_the_statuses_are_what_the_events_until_then_add_up_to(
    store: Store, stories: list[list[Step]], days: int
) -> None:
    with store.begin() as session:
        session.execute(delete(FeedbackEventRow))
        session.execute(delete(FeedbackRow))
    for steps in stories:
        tell(store, *steps)

    counted = utilisation(store, now=NOW, days=days).statuses

    for day in counted.days:
        until = [[step[0] for step in steps if ago(step[1]).date() <= day.day] for steps in stories]
        expected = [status_after(events) for events in until if events]
        assert day.standing == {status.value: expected.count(status) for status in Status}
        assert sum(day.standing.values()) == sum(ago(steps[0][1]).date() <= day.day for steps in stories)


def test_all_days_of_the_longest_window_are_there(store: Store) -> None:
    days = utilisation(store, now=NOW, days=730).statuses.days

    assert len(days) == 730
    assert days[0].day == NOW.date() - timedelta(days=729)
