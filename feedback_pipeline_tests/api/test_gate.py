"""What stands around every request: ids, sizes, headers, other origins, and what becomes of errors."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from feedback_pipeline.api import create_app
from feedback_pipeline.api.problems import MEDIA_TYPE
from feedback_pipeline.api.services import Serving
from feedback_pipeline.store import StoreUnavailableError, open_store
from feedback_pipeline_tests.api.conftest import api_settings, bearer
from feedback_pipeline_tests.api.probes import add_probes

ORIGIN = "https://app.example.com"
JSON = {"Content-Type": "application/json"}


class Said(BaseModel):
    text: str
    times: int = 1


READABLE = (b'{"text": "\\ud800"}', b'{"text": "a", "\\ud800": 1}', b'{"text": "a", "times": ' + b"9" * 1_000 + b"}")
"""Python takes them for JSON; a route's own fields refuse the rest."""


def add_mistakes(app: FastAPI) -> None:
    """Routes that go wrong in every way."""

    @app.post("/say")
    def say(said: Said) -> dict[str, int]:
        return {"characters": len(said.text)}

    @app.post("/read")
    async def read(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/store")
    def store(said: Said, services: Serving) -> None:
        with services.store.begin() as session:
            session.execute(text("INSERT INTO opt_outs VALUES (:words, :words)"), {"words": said.text})

    add_outages(app)

    @app.get("/broken")
    def broken(words: str) -> None:
        raise KeyError(words)


def add_outages(app: FastAPI) -> None:
    """Routes that miss something for the moment."""

    @app.get("/away")
    def away() -> None:
        raise StoreUnavailableError("The store /secret/place/feedback.db is unavailable: it is gone.")

    @app.get("/slow")
    def slow() -> None:
        raise PoolTimeoutError("QueuePool limit reached")

    @app.get("/out-of-time")
    def out_of_time() -> None:
        raise TimeoutError


@pytest.fixture(params=["sqlite", "postgres"])
def gate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    """An application with small limits, once per kind of store."""
    url = request.getfixturevalue("postgres_store_url") if request.param == "postgres" else None
    app = create_app(
        api_settings(tmp_path / "data", database_url=url, api_max_body_bytes=2_000, api_origins=f" {ORIGIN}/ ,")
    )
    add_probes(app)
    add_mistakes(app)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def gate_on_sqlite(tmp_path: Path) -> Iterator[TestClient]:
    """The same where the kind of store does not matter."""
    app = create_app(api_settings(tmp_path / "data", api_max_body_bytes=2_000, api_origins=f" {ORIGIN}/ ,"))
    add_probes(app)
    add_mistakes(app)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def test_each_answer_names_its_request(gate_on_sqlite: TestClient) -> None:
    first, second = (gate_on_sqlite.get("/nowhere") for _ in range(2))

    assert first.json()["request_id"] == first.headers["x-request-id"]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("3f0c-77:a=b.c_d", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("two words", False),
        ('"}{"level', False),
        ("\u00e9", False),
        ("", False),
    ],
)
def test_a_sane_id_of_the_sender_is_kept(gate_on_sqlite: TestClient, given: str, is_kept: bool) -> None:
    answer = gate_on_sqlite.get("/healthz", headers=[(b"X-Request-ID", given.encode("latin-1"))])

    assert (answer.headers["x-request-id"] == given) == is_kept
    assert answer.headers["x-request-id"]


def test_a_body_that_says_it_is_too_large_is_refused(gate_on_sqlite: TestClient) -> None:
    answer = gate_on_sqlite.post("/read", content=b"x" * 2_001)

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize("path", ["/read", "/say"])
def test_a_body_that_says_nothing_of_its_size_is_counted(gate_on_sqlite: TestClient, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 100

    answer = gate_on_sqlite.post(path, content=chunks(), headers=JSON)

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


def test_a_body_of_the_largest_size_gets_in(gate_on_sqlite: TestClient) -> None:
    assert gate_on_sqlite.post("/read", content=b"x" * 2_000).json() == {"bytes": 2_000}


def test_data_may_do_nothing_in_a_browser_and_is_kept_nowhere(gate_on_sqlite: TestClient) -> None:
    headers = gate_on_sqlite.get("/healthz").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


def test_pages_may_only_use_files_of_their_own(gate_on_sqlite: TestClient) -> None:
    policy = gate_on_sqlite.get("/sign-in").headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/broken?words=x", "/probe"])
def test_pages_of_the_listed_origins_may_read_answers_whatever_they_are(gate_on_sqlite: TestClient, path: str) -> None:
    answer = gate_on_sqlite.get(path, headers={"Origin": ORIGIN})

    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example.com", f"{ORIGIN}.evil.com", "http://app.example.com", "null"])
def test_pages_of_other_origins_may_not(gate_on_sqlite: TestClient, origin: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "Authorization"}

    answer = gate_on_sqlite.get("/healthz", headers={"Origin": origin})
    preflight = gate_on_sqlite.options("/feedback", headers={"Origin": origin, **asked})

    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in preflight.headers
    assert preflight.status_code == 400


def test_the_headers_of_the_widget_are_allowed(gate_on_sqlite: TestClient) -> None:
    wanted = "authorization, content-type, idempotency-key, on-behalf-of, x-request-id"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted}

    preflight = gate_on_sqlite.options("/feedback", headers={"Origin": ORIGIN, **asked})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN


def test_what_is_not_there_is_a_problem_too(gate_on_sqlite: TestClient) -> None:
    missing, wrong_method = gate_on_sqlite.get("/nowhere"), gate_on_sqlite.put("/say")

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong_method.status_code, wrong_method.json()["code"]) == (405, "method_not_allowed")
    assert wrong_method.headers["allow"] == "POST"
    assert {missing.headers["content-type"], wrong_method.headers["content-type"]} == {MEDIA_TYPE}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ["private words"]}, "text"),
        ({"text": "a", "times": "private words"}, "times"),
        (["private words"], "body"),
        ("private words", "body"),
        (None, "body"),
    ],
)
def test_wrong_fields_are_named_without_what_was_in_them(gate_on_sqlite: TestClient, body: Any, field: str) -> None:
    answer = gate_on_sqlite.post("/say", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert "private" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": ',
        b"private",
        b"\xff\xfe",
        b'{"text": "\\ud800"}',
        b'{"text": "a", "\\ud800": 1}',
        b'{"text": "\x00"}',
        b'{"text": NaN}',
        b"[" * 1_500,
        b'{"text": "a", "times": ' + b"9" * 1_000 + b"}",
        b'{"text": "a", "times": 1e999}',
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/json; charset=utf-7", "x", ""])
def test_what_cannot_be_read_is_never_a_mistake_of_the_server(
    gate_on_sqlite: TestClient, body: bytes, content_type: str
) -> None:
    answer = gate_on_sqlite.post("/say", content=body, headers={"Content-Type": content_type})

    assert answer.status_code in {200, 400, 422}
    assert (answer.status_code == 200) == ("json" in content_type and body in READABLE)
    json.loads(answer.content.decode())


@pytest.mark.parametrize("words", ["a\0b", "\ud800"])
def test_text_that_no_database_keeps_is_a_matter_of_the_request(gate: TestClient, words: str) -> None:
    answer = gate.post("/store", content=json.dumps({"text": words}), headers=JSON)

    # SQLite keeps a NUL character, so there the mistake is another one: the words are no time.
    assert answer.status_code == 422 or (words == "a\0b" and answer.status_code in {200, 500})
    assert words not in answer.text


def test_an_unexpected_error_is_told_by_its_request_alone(gate_on_sqlite: TestClient) -> None:
    answer = gate_on_sqlite.get("/broken?words=private", headers={"X-Request-ID": "this-one"})

    assert answer.status_code == 500
    assert answer.json()["request_id"] == "this-one"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "private" not in answer.text
    assert "KeyError" not in answer.text


@pytest.mark.parametrize("path", ["/away", "/slow", "/out-of-time"])
def test_what_is_away_for_a_moment_may_be_asked_again(gate_on_sqlite: TestClient, path: str) -> None:
    answer = gate_on_sqlite.get(path)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "secret" not in answer.text


def test_a_locked_store_is_away_for_a_moment(tmp_path: Path) -> None:
    settings = api_settings(tmp_path, api_busy_timeout_s=0.05)
    app = create_app(settings)
    add_mistakes(app)
    other = open_store(settings)
    with TestClient(app, raise_server_exceptions=False) as client, other.begin() as session:
        session.execute(text("DELETE FROM opt_outs"))

        answer = client.post("/store", json={"text": "a"})

    assert answer.status_code == 503
    other.close()


@pytest.mark.parametrize("url", ["postgresql+psycopg://ann:hunter2@127.0.0.1:1/feedback", "oracle://nowhere"])
def test_without_a_store_the_server_lives_and_says_that_it_is_not_ready(tmp_path: Path, url: str) -> None:
    app = create_app(api_settings(tmp_path, database_url=url))

    with TestClient(app, raise_server_exceptions=False) as client:
        alive, ready, numbers = client.get("/healthz"), client.get("/readyz"), client.get("/metrics")

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert ready.headers["retry-after"] == "2"
    assert "hunter2" not in ready.text
    assert "feedback_store_up 0.0" in numbers.text


def test_a_store_that_comes_back_is_used_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback_pipeline.api.services.PAUSE_AFTER_FAILURE_S", 0.0)
    (tmp_path / "data").write_text("a file where the folder should be")
    with TestClient(create_app(api_settings(tmp_path / "data"))) as client:
        assert client.get("/readyz").status_code == 503

        (tmp_path / "data").unlink()

        assert client.get("/readyz").status_code == 200


def test_a_caller_is_the_same_for_the_guard_and_the_limits(gate_on_sqlite: TestClient) -> None:
    assert gate_on_sqlite.get("/probe", headers=bearer("ann")).json()["subject"] == "ann"


def test_all_problems_are_declared_as_such(tmp_path: Path) -> None:
    document = create_app(api_settings(tmp_path)).openapi()

    assert {"Problem", "FieldError"} <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            problems = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
            guarded = {"401", "403"} if "security" in operation else set()
            assert {"429", "503"} | guarded <= set(problems), (path, method)
            assert all(list(answer["content"]) == [MEDIA_TYPE] for answer in problems.values()), (path, method)
