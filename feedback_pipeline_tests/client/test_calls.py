"""What the API offers, through both clients and a real server."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from feedback_pipeline.client import (
    Chunk,
    FeedbackClient,
    FeedbackEntry,
    FeedbackForbiddenError,
    FeedbackInvalidError,
    FeedbackNotFoundError,
    FeedbackUnauthorizedError,
    SearchResult,
)
from feedback_pipeline.store import Store, Submission, list_feedback, submit_many
from feedback_pipeline_tests.api.conftest import token
from feedback_pipeline_tests.client.conftest import Connect
from feedback_pipeline_tests.client.servers import Unreliable

QUESTION = "How many orders went to Berlin?"
WRONG, RIGHT = "SELECT COUNT(*) FROM orders", "SELECT COUNT(*) FROM orders WHERE city = 'Berlin'"


def test_a_correction_can_be_followed_by_whoever_gave_it(connect: Connect, url: str):
    client = connect(url)
    interaction_id = client.record_interaction(QUESTION, database_id="shop", output=WRONG, model="m1")

    client.rate(interaction_id, -1, "wrong filter")
    entry = client.correct(
        "shop", QUESTION, generated_sql=WRONG, corrected_sql=RIGHT, comment="Berlin only", interaction_id=interaction_id
    )

    status = client.status(entry.feedback_id)
    assert (entry.status, entry.corrected_sql, entry.interaction_id) == ("pending", RIGHT, interaction_id)
    assert (status.status, status.entry.natural_query, status.used_in_queries) == ("pending", QUESTION, 0)
    assert [event.event for event in status.history] == ["submitted"]
    assert (status.yours, status.checks.state, status.index_version) == (True, "not_yet", None)


def test_passages_are_recorded_with_the_answer_they_led_to(connect: Connect, url: str, store: Store):
    client = connect(url)
    passages = [Chunk("help-1", "Start a return under My Orders.", 0.8), {"chunk_id": "help-2", "in_scope": False}]

    interaction_id = client.record_interaction("How do I return it?", output="Under My Orders.", chunks=passages)

    assert interaction_id == 1
    with store.read() as session:
        rows = session.connection().exec_driver_sql(
            "SELECT kind, rank, chunk_id, score FROM interactions JOIN retrieved_chunks USING (interaction_id)"
        )
        assert [tuple(row) for row in rows] == [("rag", 1, "help-1", 0.8), ("rag", 2, "help-2", None)]


def test_ones_own_feedback_is_listed_over_all_pages_and_nobody_elses(connect: Connect, url: str, store: Store):
    given = [Submission("shop", f"question {number}", comment="no", user_id="ann") for number in range(120)]
    submit_many(store, [*given, Submission("shop", "of bob", comment="no", user_id="bob")])
    client = connect(url, token("ann"))

    listed = [entry.natural_query for entry in client.mine()]

    assert sorted(listed) == sorted(item.natural_query for item in given)
    assert list(client.mine(status="verified")) == []


def test_a_search_without_an_index_finds_nothing_and_fails_nothing(connect: Connect, url: str):
    found = connect(url).search(QUESTION, "shop")

    assert (found.examples, found.prompt, found.learned_from_correction) == ((), "", ())
    assert found.index_version is None
    assert found.retrieval_id


def test_a_backend_speaks_for_its_users(connect: Connect, url: str):
    backend = connect(url, token("backend", acts_for_users=True))
    entry = backend.for_user("Zoë Ångström").correct("shop", QUESTION, corrected_sql=RIGHT)

    as_herself, as_another = connect(url, token("Zoë Ångström")), connect(url, token("bob"))

    assert [found.feedback_id for found in as_herself.mine()] == [entry.feedback_id]
    assert list(as_another.mine()) == []


def test_who_may_not_speak_for_others_is_told_so(connect: Connect, url: str):
    with pytest.raises(FeedbackForbiddenError) as refused:
        connect(url, token("ann"), on_behalf_of="bob").rate(1, 1)

    assert refused.value.code == "may_not_act_for_users"


def test_after_opting_out_nothing_is_recorded_and_the_product_goes_on(connect: Connect, url: str):
    client = connect(url)
    client.correct("shop", QUESTION, corrected_sql=RIGHT)

    done = client.opt_out()

    assert done.withdrawn == 1
    assert client.record_interaction(QUESTION, database_id="shop", output=WRONG) == 0
    with pytest.raises(FeedbackForbiddenError, match="opted out"):
        client.correct("shop", QUESTION, corrected_sql=RIGHT)


def test_everything_can_be_taken_back(connect: Connect, url: str):
    client = connect(url)
    entry = client.correct("shop", QUESTION, corrected_sql=RIGHT)

    erasure = client.forget_me()

    assert erasure.erasure_id
    assert erasure.state in {"pending", "done"}
    with suppress(FeedbackNotFoundError):  # the run in the background may have been quick
        assert client.status(entry.feedback_id).status == "withdrawn"


def test_errors_say_what_the_server_says_and_are_not_sent_again(connect: Connect, url: str, unreliable: Unreliable):
    client = connect(url)

    with pytest.raises(FeedbackNotFoundError) as unknown:
        client.rate(77, 1)
    with pytest.raises(FeedbackInvalidError) as invalid:
        client.correct("shop", "", rating=9)
    with pytest.raises(FeedbackUnauthorizedError) as unauthorized:
        connect(url, "no.real.token").rate(77, 1)

    assert (unknown.value.status, unknown.value.code) == (404, "unknown_interaction")
    assert {error["field"] for error in invalid.value.errors} >= {"rating"}
    assert unauthorized.value.status == 401
    assert all(error.value.request_id for error in (unknown, invalid, unauthorized))
    assert len(unreliable.seen) == 3


def test_one_client_serves_many_threads(url: str, store: Store):
    questions = [f"question {number}" for number in range(40)]
    with FeedbackClient(url, token()) as client, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda question: client.correct("shop", question, comment="no"), questions))

    assert sorted(entry["natural_query"] for entry in list_feedback(store)) == sorted(questions)


def test_a_token_function_is_asked_for_every_request(connect: Connect, url: str):
    tokens = [token("ann"), token("bob")]
    client = connect(url, lambda: tokens.pop(0))

    client.correct("shop", QUESTION, comment="of ann")

    assert list(client.mine()) == []


def test_what_a_newer_server_adds_is_ignored():
    entry = {"feedback_id": "f", "status": "pending", "database_id": "d", "natural_query": "q", "mood": "good"}
    example = {"example_id": "e", "natural_query": "q", "sql": "s", "rank": 1, "score": 0.5, "colour": "red"}

    read = FeedbackEntry.of({**entry, "created_at": "2026-01-31T12:00:00Z"})
    found = SearchResult.of({"examples": [example], "prompt": "p", "index_version": 4, "weather": {}})

    assert (read.created_at.isoformat(), read.comment) == ("2026-01-31T12:00:00+00:00", None)
    assert found.examples[0].index_version == 4
