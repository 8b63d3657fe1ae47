from datetime import UTC, datetime
from uuid import UUID

import pytest

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Interaction,
    Store,
    UnknownInteractionError,
    get_feedback,
    list_feedback,
    open_store,
    record_many,
    submit_many,
)
from feedback_pipeline_tests.store.running import together
from feedback_pipeline_tests.store.samples import MOMENT, submission


def test_a_submission_is_stored_as_pending_with_its_event(store: Store) -> None:
    [submitted] = submit_many(store, [submission("k1", comment="Zürich — 東京")])

    stored = get_feedback(store, submitted.feedback_id)
    assert submitted.created
    assert (stored["status"], stored["client_key"], stored["comment"]) == ("pending", "k1", "Zürich — 東京")
    assert stored["created_at"] == MOMENT
    assert stored["created_at"].tzinfo == UTC
    assert [event["event"] for event in stored["history"]] == ["submitted"]


def test_submitting_again_changes_nothing(store: Store) -> None:
    first = submit_many(store, [submission("k1"), submission("k2")])

    second = submit_many(store, [submission("k2", rating=1), submission("k3"), submission("k1")])

    assert [item.created for item in second] == [False, True, False]
    assert [second[2].feedback_id, second[0].feedback_id] == [item.feedback_id for item in first]
    assert [row["rating"] for row in list_feedback(store)] == [5, 5, 5]


def test_a_key_twice_in_one_batch_is_stored_once(store: Store) -> None:
    results = submit_many(store, [submission("k1"), submission("k1")])

    assert [item.created for item in results] == [True, False]
    assert results[0].feedback_id == results[1].feedback_id


def test_a_key_belongs_to_its_source(store: Store) -> None:
    results = submit_many(store, [submission("k1", source="import"), submission("k1", source="app")])

    assert [item.created for item in results] == [True, True]


def test_without_a_key_each_is_new(store: Store) -> None:
    results = submit_many(store, [submission(None), submission(None)])

    assert len({item.feedback_id for item in results}) == 2


def test_the_same_import_gives_the_same_ids_in_another_store(store: Store, sqlite_store: Store) -> None:
    batch = [submission(f"k{number}") for number in range(20)]

    assert submit_many(store, batch) == submit_many(sqlite_store, batch)


def test_ids_are_version_7_and_carry_the_time_of_the_source(store: Store) -> None:
    [keyed, keyless] = submit_many(store, [submission("k1"), submission(None)])

    identifier = UUID(keyed.feedback_id)
    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC) == MOMENT
    assert UUID(keyless.feedback_id).version == 7


def test_concurrent_submissions_of_the_same_keys_are_stored_once(store: Store, store_settings: Settings) -> None:
    stores = [store, open_store(store_settings)]
    batch = [submission(f"k{number}", created_at=None) for number in range(50)]

    results = together(*[lambda each=each: submit_many(each, batch) for each in stores * 3])

    assert len(list_feedback(store)) == 50
    assert len({tuple(item.feedback_id for item in result) for result in results}) == 1
    assert sum(item.created for result in results for item in result) == 50
    stores[1].close()


def test_an_interaction_that_does_not_exist_is_named_and_nothing_stored(store: Store) -> None:
    [(known, _)] = record_many(store, [Interaction("text2sql", "how many?")])

    with pytest.raises(UnknownInteractionError, match="id 999"):
        submit_many(store, [submission("k1", interaction_id=known), submission("k2", interaction_id=999)])

    assert list_feedback(store) == []


def test_a_time_without_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match=r"submission .*: created_at 2025-01-01T00:00:00 has no time zone"):
        submit_many(store, [submission(None, created_at=datetime(2025, 1, 1))])  # noqa: DTZ001


def test_nothing_submitted_is_fine(store: Store) -> None:
    assert submit_many(store, []) == []
