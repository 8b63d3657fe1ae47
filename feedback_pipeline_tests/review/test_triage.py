from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from feedback_pipeline.curation.review_value import chances
from feedback_pipeline.review.editing import edit_and_verify
from feedback_pipeline.review.item import open_item
from feedback_pipeline.review.queue import QueueFilter, queue_page
from feedback_pipeline.review.triage import TriageReport, put_in_order, triage
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Interaction,
    Store,
    UnknownFeedbackError,
    decide,
    get_feedback,
    opt_out,
    record_many,
)
from feedback_pipeline_tests.review.conftest import LONG, WIDE, WRONG, Say


def ask(store: Store, question: str, key: str, **changes: object) -> int:
    fields = {"kind": "text2sql", "database_id": "geo", "natural_query": question, "client_key": key, "source": "app"}
    [(interaction_id, _)] = record_many(store, [Interaction(**{**fields, **changes})])  # pyright: ignore[reportArgumentType]
    return interaction_id


def order(store: Store) -> list[str]:
    return [item.feedback_id for item in queue_page(store, QueueFilter()).items]


def test_what_waits_is_checked_and_what_is_asked_often_comes_first(
    store: Store, store_settings: Settings, say: Say
) -> None:
    now = datetime.now(UTC)
    seldom, often = say(question="Seldom asked?", created_at=now), say(question="Often asked?", created_at=now)
    wrong = say(WRONG, "Wrong, and never asked?", created_at=now)
    for number in range(3):
        ask(store, "often asked", f"i{number}")

    report = triage(store, store_settings)

    assert report == TriageReport(checked=3, waiting=3, moved=3, in_conflict=0)
    assert order(store) == [often, seldom, wrong]
    first = queue_page(store, QueueFilter()).items[0]
    assert (first.times_asked, first.similar_waiting, first.expected_value) == (3, 0, 3.0)
    assert get_feedback(store, often)["checks_passed"] is True


def test_a_second_call_finds_nothing_to_do_and_writes_nothing(store: Store, store_settings: Settings, say: Say) -> None:
    say()
    triage(store, store_settings)
    written: list[str] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        written.extend([statement] if statement.startswith(("UPDATE", "INSERT", "DELETE")) else [])

    assert triage(store, store_settings) == TriageReport(checked=0, waiting=1, moved=0, in_conflict=0)
    assert written == []


def test_only_so_many_are_checked_as_asked_for(store: Store, store_settings: Settings, say: Say) -> None:
    for number in range(3):
        say(question=f"Number {number}?")

    assert [triage(store, store_settings, limit=2).checked for _ in range(3)] == [2, 1, 0]


def test_contradictions_are_noted_and_end_with_a_decision(store: Store, store_settings: Settings, say: Say) -> None:
    one, other, alone = say(LONG), say(WIDE), say(question="Another one?")

    found = triage(store, store_settings).in_conflict
    conflicting = {item.feedback_id for item in queue_page(store, QueueFilter(conflict=True)).items}
    decide(store, [other], "rejected", actor="ada", reason="no")
    after = triage(store, store_settings)

    assert (found, conflicting) == (2, {one, other})
    assert (after.in_conflict, after.waiting) == (0, 2)
    assert alone in order(store)


def test_what_was_asked_long_ago_withdrawn_or_by_who_has_opted_out_does_not_count(
    store: Store, store_settings: Settings, say: Say
) -> None:
    now = datetime.now(UTC)
    one = say(question="Counted?", created_at=now)
    say(question="counted", created_at=now - timedelta(days=91), user_id="ben")
    withdrawn = say(question="counted?", created_at=now, user_id="cy")
    ask(store, "counted", "i1", user_id="dee")
    decide(store, [withdrawn], "withdrawn", actor="user")
    opt_out(store, store.hash_user("dee"))

    triage(store, store_settings)

    item = next(item for item in queue_page(store, QueueFilter()).items if item.feedback_id == one)
    assert (item.times_asked, item.similar_waiting) == (0, 1)


def test_a_correction_of_a_recorded_answer_is_one_asking(store: Store, store_settings: Settings, say: Say) -> None:
    interaction = ask(store, "Once asked?", "i1")
    one = say(question="Once asked?", interaction_id=interaction, created_at=datetime.now(UTC))

    triage(store, store_settings)

    assert queue_page(store, QueueFilter()).items[0].times_asked == 0
    assert order(store) == [one]


def test_copies_of_one_correction_do_not_fill_the_queue_before_or_after_one_is_verified(
    store: Store, store_settings: Settings, say: Say
) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    copies = [say(question="Which are long?", created_at=now + timedelta(minutes=n), user_id=f"u{n}") for n in range(6)]
    others = [say(question=f"Something else {name}?", created_at=now) for name in ("first", "second")]
    triage(store, store_settings)
    before = order(store)
    decide(store, copies[:1], "verified", actor="ada")

    triage(store, store_settings)

    values = {item.feedback_id: item.expected_value for item in queue_page(store, QueueFilter()).items}
    assert before[0] == copies[0]
    assert [i for i in before if i in copies] == copies
    assert values[copies[1]] == pytest.approx((1 + 5 + 4) * chance_of_passed(1, 1) / 2)
    assert [values[i] for i in copies[1:]] == sorted((values[i] for i in copies[1:]), reverse=True)
    assert set(others) <= values.keys()


def chance_of_passed(verified: int, decided: int) -> float:
    return chances({"passed": (verified, decided)})["passed"]


def test_an_edit_is_no_further_asking(
    store: Store, store_settings: Settings, two_reviewers: Settings, say: Say
) -> None:
    original = say(created_at=datetime.now(UTC))
    edited = edit_and_verify(store, two_reviewers, original, reviewer="ada", corrected_sql=WIDE)

    triage(store, store_settings)

    asked = {item.feedback_id: item.times_asked for item in queue_page(store, QueueFilter()).items}
    assert asked == {original: 0, edited.feedback_id: 0}


def test_decisions_of_the_past_move_what_waits(store: Store, store_settings: Settings, say: Say) -> None:
    waiting = say(question="Still waiting?")
    triage(store, store_settings)
    before = queue_page(store, QueueFilter()).items[0].expected_value
    rejected = [say(question=f"Rejected {number}?") for number in range(8)]
    triage(store, store_settings)
    decide(store, rejected, "rejected", actor="ada", reason="no")

    put_in_order(store, store_settings)

    item = queue_page(store, QueueFilter()).items[0]
    assert item.feedback_id == waiting
    # Eight of eight were rejected: (0 + 2 x 0.75) / (8 + 2).
    assert (before, item.expected_value) == (0.75, 0.15)


def test_an_item_is_checked_when_it_is_opened_and_shows_its_rivals(
    store: Store, store_settings: Settings, say: Say
) -> None:
    one, other, alone = say(LONG), say(WIDE, "which rivers are  LONG"), say(question="Another one?")

    item = open_item(store, store_settings, one)

    assert item.feedback["checks_passed"] is True
    assert [rival.feedback_ids for rival in item.rivals] == [(one,), (other,)]
    assert item.rivals[0].execution["corrected"]["outcome"] == "ok"
    assert (item.needed, item.reservation, item.reviews) == (1, None, ())
    assert open_item(store, store_settings, alone).rivals == ()
    with pytest.raises(UnknownFeedbackError):
        open_item(store, store_settings, "no-such-id")


def test_rivals_are_found_though_names_of_people_were_replaced(
    store: Store, store_settings: Settings, say: Say
) -> None:
    one = say(LONG, "Which rivers did ann@example.com enter?")
    other = say(WIDE, "Which rivers did ben@example.org enter?")

    triage(store, store_settings)

    rivals = open_item(store, store_settings, one).rivals

    assert [rival.feedback_ids for rival in rivals] == [(one,), (other,)]
