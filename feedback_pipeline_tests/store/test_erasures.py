from pathlib import Path

import pytest
from sqlalchemy import text

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    CheckRecord,
    Interaction,
    RetrievedExample,
    Store,
    any_open_erasure,
    close_erasure,
    count_records,
    get_erasure,
    get_feedback,
    list_feedback,
    list_models,
    models_trained_on,
    note_model,
    note_progress,
    open_erasures,
    opted_out_users,
    record_checks,
    record_many,
    records_of,
    remove_user,
    request_erasure,
    scrub,
    still_stored,
    submit_many,
    texts_of,
)
from feedback_pipeline.store.interactions import Chunk
from feedback_pipeline_tests.store.samples import submission, submit

ANN = "ann@example.com"
SECRET = "zanzibarland"


@pytest.fixture
def ann(store: Store) -> str:
    return store.hash_user(ANN)


def give(store: Store) -> tuple[list[str], int]:
    """Two corrections and a rated answer of Ann, one correction of Bob on that answer."""
    answer = Interaction(
        "rag",
        f"{SECRET}?",
        output=f"{SECRET}!",
        user_id=ANN,
        chunks=[Chunk("c", "passage", 0.1, 1)],
        examples=[RetrievedExample("e", 1)],
    )
    [(number, _)] = record_many(store, [answer])
    ids = submit(store, "a", "b", comment=f"{SECRET} again")
    submit(store, "c", user_id="bob", interaction_id=number)
    return ids, number


def test_asking_withdraws_opts_out_and_writes_down_ids_alone(store: Store, ann: str) -> None:
    ids, number = give(store)

    erasure = request_erasure(store, ann)

    assert erasure.found == {"feedback_ids": sorted(ids), "interaction_ids": [number]}
    assert (erasure.state, erasure.consent) == ("open", "withdrawn")
    assert opted_out_users(store) == {ann}
    assert {get_feedback(store, i)["status"] for i in ids} == {"withdrawn"}
    assert any_open_erasure(store)


def test_asking_again_takes_up_the_open_entry(store: Store, ann: str) -> None:
    first = request_erasure(store, ann, keep_consent=True)
    note_progress(store, first.erasure_id, {"index": {}})

    second = request_erasure(store, ann)

    assert (second.erasure_id, second.progress) == (first.erasure_id, {"index": {}})
    assert [erasure.erasure_id for erasure in open_erasures(store)] == [first.erasure_id]


def test_what_came_in_since_lets_it_begin_again(store: Store, ann: str) -> None:
    first = request_erasure(store, ann, keep_consent=True)
    note_progress(store, first.erasure_id, {"index": {}})
    [late] = submit(store, "late")

    second = request_erasure(store, ann)

    assert (second.erasure_id, second.progress) == (first.erasure_id, {})
    assert second.found["feedback_ids"] == [late]
    assert get_feedback(store, late)["status"] == "withdrawn"


def test_a_later_erasure_knows_the_ids_of_an_earlier_one(store: Store, ann: str) -> None:
    ids, number = give(store)
    erasure = request_erasure(store, ann)
    remove_user(store, ann)
    close_erasure(store, erasure.erasure_id, {"fine": True}, done=True)

    assert not any_open_erasure(store)
    assert get_erasure(store, erasure.erasure_id).receipt == {"fine": True}
    assert records_of(store, ann) == {"feedback_ids": sorted(ids), "interaction_ids": [number]}
    assert request_erasure(store, ann).erasure_id != erasure.erasure_id


def test_an_erasure_that_left_something_stays_open_and_begins_again(store: Store, ann: str) -> None:
    erasure = request_erasure(store, ann)
    note_progress(store, erasure.erasure_id, {"index": {}})

    close_erasure(store, erasure.erasure_id, {}, done=False)

    [again] = open_erasures(store)
    assert again.progress == {}


def test_all_records_of_a_user_go_and_nobody_elses(store: Store, ann: str) -> None:
    ids, _ = give(store)
    present = {"feedback": 2, "events": 4, "interactions": 1, "retrieved_chunks": 1, "retrieved_examples": 1}
    present |= {"retrievals": 0, "retrieval_examples": 0}
    assert count_records(store, ann) == present

    assert remove_user(store, ann) == present

    assert set(count_records(store, ann).values()) == {0}
    assert still_stored(store, ids) == 0
    [bobs] = list_feedback(store)
    assert bobs["client_key"] == "c"
    assert get_feedback(store, bobs["feedback_id"])["interaction_id"] is None


def test_texts_are_those_nobody_else_wrote(store: Store) -> None:
    shared, own, redacted = submit_many(
        store,
        [
            submission("a", natural_query="how many?", corrected_sql="SELECT 1", comment=None),
            submission("b", natural_query=f"{SECRET}?", corrected_sql=f"SELECT '{SECRET}'", comment=None),
            submission("c", natural_query="of ann@x.org", corrected_sql="SELECT 1", comment="mine alone"),
        ],
    )
    submit_many(store, [submission("d", user_id="bob", natural_query="how many?", corrected_sql="SELECT 1")])
    record_checks(store, [CheckRecord(redacted.feedback_id, {"safe_question": "of <EMAIL>"}, "v1", True)])

    found = texts_of(store, [item.feedback_id for item in (shared, own, redacted)], [])

    assert found.questions == {f"{SECRET}?", "of ann@x.org", "of <EMAIL>"}
    assert found.texts == {*found.questions, f"SELECT '{SECRET}'", "mine alone"}


def test_scrubbing_leaves_nothing_in_the_files(sqlite_store: Store, tmp_path: Path) -> None:
    give(sqlite_store)
    ann = sqlite_store.hash_user(ANN)
    request_erasure(sqlite_store, ann)
    files = list((tmp_path / "sqlite").glob("feedback.db*"))
    assert any(SECRET.encode() in path.read_bytes() for path in files)

    remove_user(sqlite_store, ann)
    done = scrub(sqlite_store)

    assert done == {"files": "rewritten"}
    assert not any(SECRET.encode() in path.read_bytes() for path in (tmp_path / "sqlite").glob("feedback.db*"))
    with sqlite_store.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"


def test_on_postgres_scrubbing_is_the_servers(store: Store, store_settings: Settings) -> None:
    if store_settings.database_url is None:
        pytest.skip("SQLite is scrubbed by us")

    assert scrub(store)["files"].startswith("left to the server")


def test_models_are_noted_once_and_found_by_what_they_saw(store: Store) -> None:
    note_model(store, "big", [("text2sql", 1), ("text2sql", 2)], "on the cluster")
    note_model(store, "big", [("text2sql", 2)])
    note_model(store, "small", [("text2sql", 3)])

    assert [(model.name, model.version, model.note) for model in list_models(store)] == [
        ("big", 1, "on the cluster"),
        ("big", 2, "on the cluster"),
        ("small", 3, None),
    ]
    assert [model.name for model in models_trained_on(store, [("text2sql", 2), ("reranker", 3)])] == ["big"]
