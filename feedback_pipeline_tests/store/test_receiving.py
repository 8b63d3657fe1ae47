"""What comes in over an interface is stored once for the same key, whatever is sent again and how often."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from feedback_pipeline.store import (
    NOT_STORED,
    Chunk,
    Interaction,
    KeyReusedError,
    OptedOutError,
    OtherDatabaseError,
    Recorded,
    RetrievedExample,
    Store,
    UnknownInteractionError,
    decide,
    get_feedback,
    opt_out,
    record_once,
    remove_user,
    submit_once,
)
from feedback_pipeline.store.models import FeedbackRow, InteractionRow
from feedback_pipeline_tests.store.running import together
from feedback_pipeline_tests.store.samples import submission

ANN, BOB = "ann@example.com", "bob@example.com"
SENT = submission("key", created_at=None, source="user_feedback")
ANSWER = Interaction(
    "text2sql",
    "how many?",
    "SELECT 1",
    database_id="geo",
    user_id=ANN,
    chunks=[Chunk("c1", "river", 0.5, 1, True), Chunk("c2", None, None, 2)],
    examples=[RetrievedExample("e1", 1, 0.25, 3), RetrievedExample("e2", 2, withheld=True)],
    client_key="key",
    retrieval_id="0198f3f0-0000-7000-8000-000000000001",
)


def count(store: Store, model: Any) -> int:
    with store.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_submission_is_pending_and_has_its_event(store: Store) -> None:
    entry = submit_once(store, SENT)

    stored = get_feedback(store, entry.feedback_id)
    assert (entry.status, entry.replayed) == ("pending", False)
    assert (stored["status"], stored["created_at"]) == ("pending", entry.created_at)
    assert [(event["event"], event["actor"]) for event in stored["history"]] == [("submitted", "user_feedback")]


def test_sent_again_it_is_answered_as_it_stands_now(store: Store) -> None:
    first = submit_once(store, SENT)
    decide(store, [first.feedback_id], "rejected", actor="ada", reason="wrong")

    again = submit_once(store, SENT)

    assert again == replace(first, status="rejected", replayed=True)
    assert count(store, FeedbackRow) == 1


@pytest.mark.parametrize(
    "change",
    [{"comment": "hm"}, {"corrected_sql": None}, {"rating": 1}, {"database_id": "shop"}, {"natural_query": "x"}],
)
def test_the_same_key_with_other_content_is_refused(store: Store, change: dict[str, Any]) -> None:
    submit_once(store, SENT)

    with pytest.raises(KeyReusedError, match="with the same content only"):
        submit_once(store, replace(SENT, **change))
    assert count(store, FeedbackRow) == 1


def test_without_a_key_the_same_content_is_stored_each_time(store: Store) -> None:
    ids = {submit_once(store, replace(SENT, client_key=None)).feedback_id for _ in range(2)}

    assert len(ids) == count(store, FeedbackRow) == 2


def test_many_at_once_with_one_key_are_stored_once(store: Store) -> None:
    entries = together(*[lambda: submit_once(store, SENT) for _ in range(20)])

    assert len({entry.feedback_id for entry in entries}) == count(store, FeedbackRow) == 1
    assert [entry.replayed for entry in entries].count(False) == 1


def test_of_many_contents_at_once_with_one_key_one_wins(store: Store) -> None:
    def send(number: int) -> str | None:
        try:
            return submit_once(store, replace(SENT, comment=str(number))).feedback_id
        except KeyReusedError:
            return None

    sent = together(*[lambda n=n: send(n) for n in range(12)])

    assert len([one for one in sent if one]) == count(store, FeedbackRow) == 1


def test_who_has_opted_out_submits_nothing_and_is_told_so_for_known_keys_too(store: Store) -> None:
    submit_once(store, SENT)
    opt_out(store, store.hash_user(ANN))

    for item in (SENT, replace(SENT, client_key="new"), replace(SENT, interaction_id=4711)):
        with pytest.raises(OptedOutError):
            submit_once(store, item)
    assert count(store, FeedbackRow) == 1


def test_a_submission_names_an_answer_that_exists_for_its_user(store: Store) -> None:
    mine = record_once(store, ANSWER).interaction_id
    item = replace(SENT, interaction_id=mine)

    entry = submit_once(store, item, databases=frozenset({"geo"}))

    assert get_feedback(store, entry.feedback_id)["interaction_id"] == mine
    for other in (replace(item, user_id=BOB), replace(item, user_id=None), replace(item, interaction_id=4711)):
        with pytest.raises(UnknownInteractionError):
            submit_once(store, replace(other, client_key=None))
    with pytest.raises(UnknownInteractionError):
        submit_once(store, replace(item, client_key=None), databases=frozenset({"shop"}))


def test_a_submission_is_about_the_database_of_its_answer(store: Store) -> None:
    mine = record_once(store, ANSWER).interaction_id
    anywhere = record_once(store, replace(ANSWER, database_id=None, client_key=None)).interaction_id

    with pytest.raises(OtherDatabaseError, match=f"is not the database of interaction {mine}"):
        submit_once(store, replace(SENT, interaction_id=mine, database_id="shop"))
    assert submit_once(store, replace(SENT, interaction_id=anywhere, database_id="shop")).status == "pending"


def test_a_retry_succeeds_although_the_answer_was_erased_since(store: Store) -> None:
    answer = record_once(store, replace(ANSWER, user_id=None)).interaction_id
    item = replace(SENT, interaction_id=answer)
    first = submit_once(store, item)
    with store.begin() as session:
        session.delete(session.get(InteractionRow, answer))

    assert submit_once(store, item) == replace(first, replayed=True)


def test_an_erased_key_can_be_used_again(store: Store) -> None:
    first = submit_once(store, SENT)
    remove_user(store, store.hash_user(ANN))

    assert submit_once(store, SENT).feedback_id != first.feedback_id


def test_an_interaction_is_recorded_once_for_its_key(store: Store) -> None:
    results = together(*[lambda: record_once(store, ANSWER) for _ in range(20)])

    assert len({result.interaction_id for result in results}) == count(store, InteractionRow) == 1
    assert [result.replayed for result in results].count(False) == 1
    with store.read() as session:
        assert session.scalar(select(InteractionRow.retrieval_id)) == ANSWER.retrieval_id


@pytest.mark.parametrize(
    "change",
    [
        {"output": "SELECT 2"},
        {"user_id": BOB},
        {"retrieval_id": None},
        {"chunks": []},
        {"chunks": [*ANSWER.chunks, Chunk("c3", None, None, 3)]},
        {"chunks": [replace(ANSWER.chunks[0], score=0.75), ANSWER.chunks[1]]},
        {"examples": [replace(ANSWER.examples[0], withheld=True), ANSWER.examples[1]]},
    ],
)
def test_another_interaction_with_the_same_key_is_refused(store: Store, change: dict[str, Any]) -> None:
    record_once(store, ANSWER)

    with pytest.raises(KeyReusedError):
        record_once(store, replace(ANSWER, **change))
    assert count(store, InteractionRow) == 1


def test_an_interaction_of_somebody_who_has_opted_out_is_not_stored(store: Store) -> None:
    opt_out(store, store.hash_user(ANN))

    assert record_once(store, ANSWER) == Recorded(NOT_STORED, stored=False)
    assert record_once(store, replace(ANSWER, user_id=None)).stored
    assert count(store, InteractionRow) == 1
