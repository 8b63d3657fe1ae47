from datetime import UTC, date, datetime, timedelta

from sqlalchemy import update

from feedback_pipeline.schemas import RAW_FEEDBACK, RAW_INTERACTIONS, require
from feedback_pipeline.store import (
    STORED_SUBMISSIONS,
    Chunk,
    Interaction,
    Store,
    decide,
    event_days,
    events_of_day,
    get_feedback,
    interaction_days,
    interactions_of_day,
    latest_decision_seq,
    rate,
    record_many,
    submissions_of_day,
)
from feedback_pipeline.store.models import InteractionRow
from feedback_pipeline_tests.store.samples import move_events, submit

DAY = date(2025, 6, 1)
NEXT = date(2025, 6, 2)
LAST_MOMENT = datetime(2025, 6, 2, tzinfo=UTC) - timedelta(microseconds=1)


def last_event(store: Store, feedback_id: str) -> int:
    return get_feedback(store, feedback_id)["history"][-1]["event_seq"]


def test_a_day_of_events_ends_at_midnight_utc(store: Store) -> None:
    [one] = submit(store, "k1", passed=None)
    [two] = submit(store, "k2", passed=None)
    decide(store, [one], "rejected", actor="ada", reason="wrong", payload={"b": 1, "a": "é"})
    move_events(store, [one], DAY, "submitted")
    move_events(store, [one], DAY, "rejected")
    move_events(store, [two], NEXT, "submitted")

    table = events_of_day(store, DAY)

    assert table.schema == RAW_FEEDBACK
    assert table["feedback_id"].to_pylist() == [one, one]
    assert table["event"].to_pylist() == ["submitted", "rejected"]
    assert table["at"].to_pylist() == [LAST_MOMENT, LAST_MOMENT]
    assert table["payload"].to_pylist() == [None, '{"a":"\\u00e9","b":1}']
    assert table["event_seq"].to_pylist() == sorted(table["event_seq"].to_pylist())


def test_submissions_come_with_the_checks_the_store_holds(store: Store) -> None:
    ids = submit(store, "k1", "k2") + submit(store, "k3", passed=None)
    move_events(store, ids, DAY, "submitted")

    table = submissions_of_day(store, DAY)

    assert table.schema == STORED_SUBMISSIONS
    assert table["feedback_id"].to_pylist() == sorted(ids)
    checks = dict(zip(table["feedback_id"].to_pylist(), table["checks"].to_pylist(), strict=True))
    assert [checks[feedback_id] for feedback_id in ids] == ['{"parses":true}', '{"parses":true}', None]
    assert set(table["checks_key"].to_pylist()) == {"v1", None}
    assert submissions_of_day(store, NEXT).num_rows == 0


def test_interactions_come_on_the_day_they_were_recorded_and_rated(store: Store) -> None:
    chunks = [Chunk("late", "b", 0.1, 2, None), Chunk("early", "a", 0.9, 1, True)]
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    items = [Interaction("rag", "one", chunks=chunks, created_at=long_ago), Interaction("rag", "two")]
    (one, _), (two, _) = record_many(store, items)
    rate(store, one, -1, "wrong")
    with store.begin() as session:
        mine = update(InteractionRow).where(InteractionRow.interaction_id == one)
        session.execute(mine.values(recorded_at=LAST_MOMENT, rating_recorded_at=LAST_MOMENT + timedelta(days=1)))
        other = update(InteractionRow).where(InteractionRow.interaction_id == two)
        session.execute(other.values(recorded_at=LAST_MOMENT))

    first, second = interactions_of_day(store, DAY), interactions_of_day(store, NEXT)

    assert first.schema == RAW_INTERACTIONS
    assert require(first, RAW_INTERACTIONS, "test").num_rows == 2
    assert [[c["chunk_id"] for c in row] for row in first["chunks"].to_pylist()] == [["early", "late"], []]
    assert second["natural_query"].to_pylist() == ["one"]
    assert second["feedback"].to_pylist() == [-1]
    assert list(interaction_days(store)) == [DAY, NEXT]


def test_an_empty_day_has_the_same_shape(store: Store) -> None:
    assert events_of_day(store, DAY).equals(RAW_FEEDBACK.empty_table())
    assert submissions_of_day(store, DAY).equals(STORED_SUBMISSIONS.empty_table())
    assert interactions_of_day(store, DAY).equals(RAW_INTERACTIONS.empty_table())
    assert (event_days(store), interaction_days(store), latest_decision_seq(store)) == ({}, {}, 0)


def test_event_days_do_not_see_the_echoes_of_the_pipeline(store: Store) -> None:
    [one] = submit(store, "k1", passed=None)
    submitted = last_event(store, one)
    move_events(store, [one], DAY, "submitted")
    submit(store, "k1")
    move_events(store, [one], DAY, "checked")
    assert event_days(store) == {DAY: submitted}

    decide(store, [one], "verified", actor="ada")
    verified = last_event(store, one)
    move_events(store, [one], NEXT, "verified")
    decide(store, [one], "applied", actor="pipeline")

    assert event_days(store) == {DAY: submitted, NEXT: verified}


def test_only_decisions_move_what_is_published(store: Store) -> None:
    [one] = submit(store, "k1")
    assert latest_decision_seq(store) == 0

    decide(store, [one], "verified", actor="ada")
    verified = last_event(store, one)
    decide(store, [one], "applied", actor="pipeline")
    assert latest_decision_seq(store) == verified

    decide(store, [one], "withdrawn", actor="ann")
    assert latest_decision_seq(store) == last_event(store, one)
