from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.insight import utilisation
from feedback_pipeline.store import Store
from feedback_pipeline_tests.api.conftest import Headers, api_settings, bearer
from feedback_pipeline_tests.store.samples import submit


@pytest.fixture
def store(app: FastAPI) -> Store:
    return app.state.services.store


def numbers(client: TestClient, headers: Headers, **query: Any) -> Any:
    answer = client.get("/insights", headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_reviewer_gets_what_was_counted(client: TestClient, store: Store) -> None:
    submit(store, "a", "b")

    document = numbers(client, bearer("rita", "reviewer"), days=7)

    assert document["statuses"]["now"]["pending"] == 2
    assert sum(day["submitted"] for day in document["statuses"]["days"]) == 2
    assert document["contributors"]["users"] == 1
    assert set(document) == set(utilisation(store).as_dict())


def test_the_window_is_90_days_unless_asked_for_another(client: TestClient) -> None:
    headers = bearer("rita", "reviewer")

    lengths = [len(numbers(client, headers, **query)["thumbs"]["days"]) for query in ({}, {"days": 1}, {"days": 730})]

    assert lengths == [90, 1, 730]


@pytest.mark.parametrize("days", ["0", "731", "-5", "all", "1.5"])
def test_other_windows_are_refused(client: TestClient, days: str) -> None:
    answer = client.get("/insights", headers=bearer("rita", "reviewer"), params={"days": days})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "days" in answer.json()["errors"][0]["field"]


def test_users_are_not_told(client: TestClient) -> None:
    assert client.get("/insights", headers=bearer("ann", "user")).status_code == 403
    assert client.get("/insights").status_code == 401


def test_only_the_databases_of_the_token_are_counted(client: TestClient, store: Store) -> None:
    submit(store, "a", database_id="geo")
    submit(store, "b", "c", database_id="shop")

    def submitted(headers: Headers, **query: Any) -> int:
        return numbers(client, headers, **query)["contributors"]["submissions"]

    geo = bearer("rita", "reviewer", databases=["geo"])
    assert submitted(bearer("rita", "reviewer")) == 3
    assert submitted(geo) == submitted(geo, database_id="geo") == 1
    assert submitted(bearer("rita", "reviewer"), database_id="shop") == 2
    assert submitted(bearer("rita", "reviewer", databases=[])) == 0


def test_another_tenants_database_does_not_exist(client: TestClient, store: Store) -> None:
    submit(store, "b", database_id="shop")
    headers = bearer("rita", "reviewer", databases=["geo"])

    seen = [client.get("/insights", headers=headers, params={"database_id": name}) for name in ("shop", "nowhere")]

    assert [answer.status_code for answer in seen] == [404, 404]
    assert seen[0].json()["detail"] == seen[1].json()["detail"].replace("nowhere", "shop")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 201])
def test_a_database_id_that_cannot_be_is_refused(client: TestClient, name: str) -> None:
    answer = client.get("/insights", headers=bearer("rita", "reviewer"), params={"database_id": name})

    assert answer.status_code == 422


def test_neither_hashes_nor_texts_of_users_leave(client: TestClient, store: Store) -> None:
    submit(store, "private", comment="my words", user_id="ann@example.com", natural_query="a secret question")

    text = client.get("/insights", headers=bearer("rita", "reviewer")).text

    for private in ("secret question", "my words", "ann@example.com", store.hash_user("ann@example.com")):
        assert private not in text


def test_an_answer_says_when_it_was_counted_and_is_kept_for_a_moment(client: TestClient, store: Store) -> None:
    headers = bearer("rita", "reviewer")
    first = numbers(client, headers)
    submit(store, "later")

    second = numbers(client, headers)

    assert second == first
    assert datetime.fromisoformat(first["as_of"]).tzinfo is not None
    assert datetime.fromisoformat(first["as_of"]) <= datetime.now(UTC)


def test_without_a_store_the_answer_is_to_come_back_later(tmp_path: Path) -> None:
    unreachable = api_settings(tmp_path, database_url="postgresql+psycopg://nobody@127.0.0.1:1/nothing")

    with TestClient(create_app(unreachable), raise_server_exceptions=False) as client:
        answer = client.get("/insights", headers=bearer("rita", "reviewer"))

    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def test_the_answer_is_described_to_its_last_field(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/insights"]["get"]

    assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/Utilisation")
    schemas = document["components"]["schemas"]
    assert set(schemas["Utilisation"]["properties"]) >= {"statuses", "times", "uses", "repeats", "contributors"}
    assert {"401", "403", "404", "422", "503"} <= set(operation["responses"])
