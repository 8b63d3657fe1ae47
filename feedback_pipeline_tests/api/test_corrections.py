"""Corrections over HTTP: what is stored, what is refused, and retries that store nothing twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.store import get_feedback
from feedback_pipeline_tests.api.conftest import Headers, bearer
from feedback_pipeline_tests.api.sending import (
    BACKEND,
    CORRECTION,
    answer,
    feedback_rows,
    give,
    store_of,
    wrong_fields,
)
from feedback_pipeline_tests.store.running import together

KEY = "Idempotency-Key"


def test_a_correction_is_answered_with_its_entry_and_where_to_ask(client_of_each_store: TestClient):
    client = client_of_each_store
    number = answer(client)

    response = give(client, {**CORRECTION, "interaction_id": number})

    entry = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/feedback/{entry['feedback_id']}"
    assert {name: entry[name] for name in CORRECTION} == CORRECTION
    assert (entry["status"], entry["interaction_id"]) == ("pending", number)
    stored = get_feedback(store_of(client), entry["feedback_id"])
    assert {name: stored[name] for name in CORRECTION} == CORRECTION
    assert (stored["source"], stored["created_at"]) == ("user_feedback", datetime.fromisoformat(entry["created_at"]))


def test_its_time_is_now_and_its_source_ours_whatever_is_sent(client: TestClient):
    body = {
        **CORRECTION,
        "created_at": "2020-01-01T00:00:00Z",
        "source": "manual",
        "status": "verified",
        "user_id": "x",
    }

    entry = give(client, body).json()

    [row] = feedback_rows(client)
    assert datetime.now(UTC) - datetime.fromisoformat(entry["created_at"]) < timedelta(minutes=1)
    assert (row.source, row.status, row.user_hash) == ("user_feedback", "pending", store_of(client).hash_user("ann"))


@pytest.mark.parametrize(
    "said", [{"generated_sql": "SELECT 1"}, {"corrected_sql": "SELECT 1"}, {"rating": 1}, {"comment": "x"}]
)
def test_one_thing_said_is_enough(client: TestClient, said: dict[str, Any]):
    body = {"database_id": "geo", "natural_query": "how many", **said}

    assert give(client, body).status_code == 201


@pytest.mark.parametrize("said", [{}, {"comment": "  "}, {"generated_sql": "", "corrected_sql": None}])
def test_nothing_said_is_refused(client: TestClient, said: dict[str, Any]):
    told = wrong_fields(give(client, {"database_id": "geo", "natural_query": "how many", **said}))

    assert "give at least one of generated_sql, corrected_sql, rating, comment" in told["body"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"database_id": None}, "database_id"),
        ({"natural_query": None}, "natural_query"),
        ({"database_id": " "}, "database_id"),
        ({"natural_query": "\n"}, "natural_query"),
        ({"database_id": 7}, "database_id"),
        ({"database_id": "x" * 201}, "database_id"),
        ({"natural_query": "x" * 4_001}, "natural_query"),
        ({"natural_query": "a\x07b"}, "natural_query"),
        ({"corrected_sql": "x" * 50_001}, "corrected_sql"),
        ({"generated_sql": "SELECT '\0'"}, "generated_sql"),
        ({"comment": "\udc00"}, "comment"),
        ({"comment": 7}, "comment"),
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"rating": "4"}, "rating"),
        ({"rating": True}, "rating"),
        ({"rating": 4.5}, "rating"),
        ({"interaction_id": "1"}, "interaction_id"),
        ({"interaction_id": 2**63}, "interaction_id"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(client: TestClient, change: dict[str, Any], field: str):
    assert set(wrong_fields(give(client, {**CORRECTION, **change}))) == {field}
    assert feedback_rows(client) == []


def test_a_refusal_does_not_repeat_what_was_sent(client: TestClient):
    secret = "hunter2"
    bodies = [
        {**CORRECTION, "rating": secret},
        {**CORRECTION, "database_id": f"{secret}\0"},
        {**CORRECTION, "interaction_id": [secret]},
        {**CORRECTION, "natural_query": {secret: secret}},
    ]

    assert [secret in give(client, body).text for body in bodies] == [False] * 4


def test_blanks_around_question_and_database_go_and_other_texts_stay_as_they_are(client: TestClient):
    body = {**CORRECTION, "database_id": " geo ", "natural_query": "\thow many? ", "corrected_sql": " SELECT 1 -- 🚀\n"}

    entry = give(client, body).json()

    assert (entry["database_id"], entry["natural_query"]) == ("geo", "how many?")
    assert entry["corrected_sql"] == body["corrected_sql"]


def test_a_database_that_is_not_the_callers_does_not_exist(client: TestClient):
    response = give(client, CORRECTION, bearer(databases=["shop"]))

    assert (response.status_code, response.json()["code"]) == (404, "unknown_database")
    assert give(client, CORRECTION, bearer(databases=["shop", "geo"])).status_code == 201


@pytest.mark.parametrize("headers", [bearer("bob"), BACKEND, bearer("ada", "admin")])
def test_an_answer_to_somebody_cannot_be_corrected_by_others(client: TestClient, headers: Headers):
    number = answer(client)

    response = give(client, {**CORRECTION, "interaction_id": number}, headers)

    assert (response.status_code, response.json()["code"]) == (404, "unknown_interaction")
    assert feedback_rows(client) == []


def test_a_correction_is_about_the_database_of_its_answer(client: TestClient):
    in_geo, in_none = answer(client), answer(client, database_id=None)

    refused = give(client, {**CORRECTION, "database_id": "shop", "interaction_id": in_geo})
    accepted = give(client, {**CORRECTION, "database_id": "shop", "interaction_id": in_none})

    assert set(wrong_fields(refused)) == {"database_id"}
    assert accepted.status_code == 201


def test_a_backend_signs_with_the_user_it_names_or_with_nobody(client: TestClient):

    give(client, CORRECTION, BACKEND, on_behalf_of="ann")
    give(client, CORRECTION, BACKEND)

    assert {row.user_hash for row in feedback_rows(client)} == {store_of(client).hash_user("ann"), None}


def test_a_retry_is_answered_with_the_first_entry(client_of_each_store: TestClient):
    client = client_of_each_store

    first = give(client, CORRECTION, key="k1")
    again = give(client, CORRECTION, key="k1")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Location"] == first.headers["Location"]
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert len(feedback_rows(client)) == 1


def test_the_same_key_with_another_body_is_refused(client: TestClient):
    give(client, CORRECTION, key="k1")

    response = give(client, {**CORRECTION, "comment": "other"}, key="k1")

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert len(feedback_rows(client)) == 1


def test_keys_of_different_callers_do_not_meet(client: TestClient):
    callers = [bearer("ann"), bearer("bob"), BACKEND, {**BACKEND, "On-Behalf-Of": "carl"}]

    ids = {give(client, CORRECTION, headers, key="k1").json()["feedback_id"] for headers in callers}

    assert len(ids) == 4
    again = give(client, CORRECTION, {**BACKEND, "On-Behalf-Of": "ann"}, key="k1")
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_says_nothing_of_its_caller_in_the_store(client: TestClient):
    give(client, CORRECTION, key="order-4711")

    [row] = feedback_rows(client)
    assert row.client_key is not None
    assert row.client_key.startswith("http:")
    assert "4711" not in row.client_key


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there", "käse"])
def test_a_key_is_1_to_200_printable_characters(client: TestClient, key: str):
    headers = {**bearer(), KEY: key.encode()}

    response = client.post("/feedback", json=CORRECTION, headers=headers)  # pyright: ignore[reportArgumentType]

    assert response.status_code == 422
    assert feedback_rows(client) == []
    assert give(client, CORRECTION, key="x" * 200).status_code == 201


def test_twenty_retries_at_once_store_one_correction(client_of_each_store: TestClient):
    client = client_of_each_store

    responses = together(*[lambda: give(client, CORRECTION, key="k1") for _ in range(20)])

    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["feedback_id"] for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert len(feedback_rows(client)) == 1


def test_fifty_corrections_at_once_are_all_stored(client_of_each_store: TestClient):
    client = client_of_each_store
    bodies = [{**CORRECTION, "natural_query": f"question {number}"} for number in range(50)]

    responses = together(*[lambda body=body: give(client, body) for body in bodies])

    assert {response.status_code for response in responses} == {201}
    assert {row.natural_query for row in feedback_rows(client)} == {body["natural_query"] for body in bodies}


def test_both_shapes_stand_in_the_openapi_document(client: TestClient):
    document = client.get("/openapi.json").json()

    operation = document["paths"]["/feedback"]["post"]
    shapes = operation["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert [shape["$ref"].rsplit("/", 1)[1] for shape in shapes] == ["Rating", "Correction"]
    assert {"201", "204", "401", "403", "404", "422", "503"} <= set(operation["responses"])
    assert document["components"]["schemas"]["Rating"]["properties"]["rating"]["enum"] == [1, -1]
