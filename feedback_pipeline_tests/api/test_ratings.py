"""Thumbs up and down over HTTP: which ratings there are, and whose voice counts."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.api.documents.json_values import MAX_REMARK_CHARS
from feedback_pipeline_tests.api.conftest import Headers, api_settings, bearer
from feedback_pipeline_tests.api.sending import BACKEND, CORRECTION, answer, give, rated, wrong_fields
from feedback_pipeline_tests.store.running import together


def test_a_rating_is_stored_and_a_later_one_replaces_it(client_of_each_store: TestClient):
    client = client_of_each_store
    number = answer(client)

    first = give(client, {"interaction_id": number, "rating": 1, "reason": "just right"})
    second = give(client, {"interaction_id": number, "rating": -1})

    assert (first.status_code, first.content) == (204, b"")
    assert second.status_code == 204
    assert rated(client, number) == (-1, None)


def test_a_rating_can_be_sent_again_with_and_without_a_key(client: TestClient):
    number = answer(client)
    body = {"interaction_id": number, "rating": -1, "reason": "no"}

    statuses = [give(client, body, key="k").status_code for _ in range(2)]
    statuses.append(give(client, body).status_code)

    assert statuses == [204, 204, 204]
    assert rated(client, number) == (-1, "no")


@pytest.mark.parametrize("rating", [1, 1.0, -1, -1.0])
def test_one_is_one_however_json_writes_it(client: TestClient, rating: float):
    number = answer(client)

    assert give(client, {"interaction_id": number, "rating": rating}).status_code == 204
    assert rated(client, number)[0] == rating


@pytest.mark.parametrize("rating", [0, 2, 5, -2, 1.5, True, False, "1", "up", None, [], {}, [1]])
def test_any_other_rating_is_refused_by_name(client: TestClient, rating: Any):
    number = answer(client)

    response = give(client, {"interaction_id": number, "rating": rating})

    assert set(wrong_fields(response)) == {"rating"}
    assert rated(client, number) == (None, None)


@pytest.mark.parametrize("interaction_id", [-1, 2**63, "1", True, 1.5, None, [1]])
def test_what_is_no_id_of_an_interaction_is_refused_by_name(client: TestClient, interaction_id: Any):
    response = give(client, {"interaction_id": interaction_id, "rating": 1})

    assert set(wrong_fields(response)) == {"interaction_id"}


@pytest.mark.parametrize("interaction_id", [0, 1, 4711, 2**63 - 1])
def test_an_unknown_interaction_is_not_found(client: TestClient, interaction_id: int):
    response = give(client, {"interaction_id": interaction_id, "rating": 1})

    assert (response.status_code, response.json()["code"]) == (404, "unknown_interaction")


@pytest.mark.parametrize("body", ["{}", "[]", "null", "1", '"text"', '{"reason": "hm"}', '{"database_id": null}'])
def test_what_is_neither_shape_is_told_what_both_are(client: TestClient, body: str):
    response = client.post("/feedback", content=body, headers={**bearer(), "Content-Type": "application/json"})

    told = wrong_fields(response)
    assert set(told) == {"body"}
    assert all(name in told["body"] for name in ("interaction_id", "rating", "database_id", "natural_query"))


@pytest.mark.parametrize(("body", "missing"), [({"rating": 1}, "interaction_id"), ({"interaction_id": 1}, "rating")])
def test_half_a_rating_is_told_the_other_half(client: TestClient, body: dict[str, Any], missing: str):
    assert set(wrong_fields(give(client, body))) == {missing}


def test_fields_we_do_not_know_are_ignored(client: TestClient):
    number = answer(client)
    body = {"interaction_id": number, "rating": 1, "user": {"id": 7}, "database_id": None, "feedback": "thumbs"}

    assert give(client, body).status_code == 204


def test_a_reason_is_kept_as_it_is_and_a_blank_one_is_none(client: TestClient):
    number = answer(client)

    give(client, {"interaction_id": number, "rating": 1, "reason": "naïve 🚀 <b>'\n"})
    kept = rated(client, number)
    give(client, {"interaction_id": number, "rating": 1, "reason": "  "})

    assert kept == (1, "naïve 🚀 <b>'\n")
    assert rated(client, number) == (1, None)


@pytest.mark.parametrize("reason", ["\0", "half a pair: \ud83d"])
def test_a_reason_that_no_database_keeps_is_refused(client: TestClient, reason: str):
    number = answer(client)

    assert set(wrong_fields(give(client, {"interaction_id": number, "rating": 1, "reason": reason}))) == {"reason"}


@pytest.mark.parametrize(
    "headers",
    [
        bearer("bob"),
        bearer("rita", "reviewer"),
        bearer("ada", "admin"),
        BACKEND,
        {**BACKEND, "On-Behalf-Of": "bob"},
        bearer("ann", databases=["shop"]),
        bearer("ann", databases=[]),
    ],
)
def test_an_answer_to_somebody_does_not_exist_for_others(client: TestClient, headers: Headers):
    number = answer(client, bearer("ann"))

    response = give(client, {"interaction_id": number, "rating": -1}, headers)

    assert (response.status_code, response.json()["code"]) == (404, "unknown_interaction")
    assert rated(client, number) == (None, None)


@pytest.mark.parametrize(
    "headers",
    [
        bearer("ann"),
        bearer("ann", "reviewer"),
        bearer("ann", databases=["geo"]),
        {**BACKEND, "On-Behalf-Of": "ann"},
        {**bearer("ada", "admin"), "On-Behalf-Of": "ann"},
    ],
)
def test_its_user_rates_an_answer_and_so_does_a_backend_in_their_name(client: TestClient, headers: Headers):
    number = answer(client, bearer("ann"))

    assert give(client, {"interaction_id": number, "rating": -1}, headers).status_code == 204
    assert rated(client, number)[0] == -1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (bearer("bob"), 204),
        (BACKEND, 204),
        (bearer("bob", databases=["geo", "shop"]), 204),
        (bearer("bob", databases=["shop"]), 404),
        (bearer("product", databases=["shop"], acts_for_users=True), 404),
    ],
)
def test_an_answer_to_nobody_known_is_rated_by_whoever_may_use_its_database(
    client: TestClient, headers: Headers, status: int
):
    number = answer(client, BACKEND)

    assert give(client, {"interaction_id": number, "rating": 1}, headers).status_code == status


def test_of_many_ratings_at_once_none_fails_and_one_stands(client_of_each_store: TestClient):
    client = client_of_each_store
    number = answer(client)

    bodies = [{"interaction_id": number, "rating": 1 if n % 2 else -1, "reason": str(n)} for n in range(20)]
    responses = together(*[lambda body=body: give(client, body) for body in bodies])

    assert {response.status_code for response in responses} == {204}
    given, reason = rated(client, number)
    assert {"interaction_id": number, "rating": given, "reason": reason} in bodies


@pytest.mark.parametrize("body", [{"interaction_id": 1, "rating": 1}, CORRECTION])
def test_without_a_store_it_is_said_when_to_try_again(tmp_path: Path, body: dict[str, Any]):
    away = "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/nothing"
    with TestClient(create_app(api_settings(tmp_path, database_url=away)), raise_server_exceptions=False) as client:
        response = give(client, body)

    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in response.text


@pytest.mark.parametrize("field", ["reason", "comment"])
def test_remarks_have_an_end(client_of_each_store: TestClient, field: str):
    client = client_of_each_store
    body = {"interaction_id": answer(client), "rating": -1} if field == "reason" else CORRECTION

    refused = give(client, body | {field: "x" * (MAX_REMARK_CHARS + 1)})
    kept = give(client, body | {field: "x" * MAX_REMARK_CHARS})

    assert set(wrong_fields(refused)) == {field}
    assert kept.status_code in {201, 204}
