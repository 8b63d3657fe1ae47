from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Chunk,
    Interaction,
    RetrievedExample,
    Store,
    UnknownInteractionError,
    open_store,
    rate,
    record_many,
)
from feedback_pipeline.store.models import InteractionRow, RetrievedExampleRow
from feedback_pipeline_tests.store.running import together

RAG = Interaction("rag", "what is a fjord?", client_key="i1", chunks=[Chunk("c1", "A long inlet.", 0.9, 1, True)])


def stored(store: Store, interaction_id: int) -> Any:
    with store.read() as session:
        row = session.get(InteractionRow, interaction_id)
        session.expunge_all()
        return row


def test_ids_come_back_in_the_order_given(store: Store) -> None:
    items = [Interaction("rag", f"question {number}") for number in range(100)]

    results = record_many(store, items)

    assert [stored(store, number).natural_query for number, _ in results[::30]] == [
        items[index].natural_query for index in range(0, 100, 30)
    ]
    assert all(created for _, created in results)


def test_recording_again_changes_nothing(store: Store) -> None:
    [(first, _)] = record_many(store, [RAG])

    results = record_many(store, [replace(RAG, output="other"), replace(RAG, client_key="i2"), RAG])

    assert results[0] == results[2] == (first, False)
    assert results[1][1]
    assert stored(store, first).output is None


def test_a_key_twice_in_one_batch_is_stored_once(store: Store) -> None:
    [(first, created), (second, again)] = record_many(store, [RAG, RAG])

    assert first == second
    assert (created, again) == (True, False)


def test_concurrent_recordings_of_the_same_key_are_stored_once(store: Store, store_settings: Settings) -> None:
    other = open_store(store_settings)

    results = together(*[lambda each=each: record_many(each, [RAG]) for each in (store, other) * 2])

    assert len({result[0][0] for result in results}) == 1
    assert sum(result[0][1] for result in results) == 1
    other.close()


def test_examples_that_were_used_are_kept(store: Store) -> None:
    used = RetrievedExample("e1", 1, score=0.8, index_version=7, withheld=True)

    [(number, _)] = record_many(store, [Interaction("text2sql", "how many?", examples=[used])])

    with store.read() as session:
        row = session.scalars(select(RetrievedExampleRow)).one()
        assert (row.interaction_id, row.example_id, row.index_version, row.withheld) == (
            number,
            "e1",
            7,
            True,
        )


def test_a_later_rating_replaces_an_earlier_one(store: Store) -> None:
    [(number, _)] = record_many(store, [RAG])
    rate(store, number, 1, "clear")

    rate(store, number, -1)

    row = stored(store, number)
    assert (row.feedback, row.feedback_reason) == (-1, None)
    assert row.rated_at.tzinfo == UTC


def test_a_rating_of_the_source_keeps_its_own_time(store: Store) -> None:
    then = datetime(2024, 5, 1, tzinfo=UTC)

    [(number, _)] = record_many(store, [replace(RAG, feedback=1, rated_at=then, created_at=then)])

    row = stored(store, number)
    assert (row.rated_at, row.created_at) == (then, then)
    assert row.rating_recorded_at == row.recorded_at > then


@pytest.mark.parametrize("rating", [0, 2, 5, True, None])
def test_other_ratings_are_refused(store: Store, rating: Any) -> None:
    with pytest.raises(ValueError, match="1 for thumbs up or -1"):
        rate(store, 1, rating)


def test_rating_what_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(UnknownInteractionError, match="id 12"):
        rate(store, 12, 1)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "chat"}, "i1: kind is 'chat'"),
        ({"feedback": 3}, "i1: rating is 3"),
        ({"chunks": [Chunk("a", "", 1.0, 1), Chunk("b", "", 0.5, 1)]}, "i1: chunks repeat a rank"),
    ],
)
def test_what_cannot_be_is_refused_by_name(store: Store, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        record_many(store, [replace(RAG, **changes)])
