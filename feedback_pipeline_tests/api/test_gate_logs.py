"""What the log says of requests, and what it must never say."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from feedback_pipeline.api import create_app
from feedback_pipeline.api.logs import PrivateJsonFormatter
from feedback_pipeline.store import StoreUnavailableError
from feedback_pipeline_tests.api.conftest import api_settings, bearer, token
from feedback_pipeline_tests.api.probes import add_probes
from feedback_pipeline_tests.api.test_gate import add_mistakes

PRIVATE = "private-words"


class Log:
    """What was written, line by line."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    """Everything any logger writes, as the server would write it."""
    written = Log()
    handler = logging.StreamHandler(written.stream)
    handler.setFormatter(PrivateJsonFormatter())
    ours = logging.getLogger("feedback_pipeline")
    logging.getLogger().addHandler(handler)
    ours.setLevel(logging.INFO)
    yield written
    logging.getLogger().removeHandler(handler)
    ours.setLevel(logging.NOTSET)


@pytest.fixture(params=["sqlite", "postgres"])
def talkative(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    """An application whose mistakes quote what was said."""
    url = request.getfixturevalue("postgres_store_url") if request.param == "postgres" else None
    app = create_app(api_settings(tmp_path, database_url=url))
    add_probes(app)
    add_mistakes(app)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(api_settings(tmp_path))
    add_probes(app)
    add_mistakes(app)
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def requests_in(log: Log) -> list[dict[str, Any]]:
    return [line for line in log.lines if line["logger"] == "feedback_pipeline.api.requests"]


def test_a_request_is_one_line_of_json(client: TestClient, log: Log) -> None:
    client.get("/probe", headers={**bearer("ann", "reviewer"), "X-Request-ID": "this-one"})

    (line,) = requests_in(log)
    assert line.pop("time").startswith("20")
    assert line.pop("milliseconds") >= 0
    assert line == {
        "level": "INFO",
        "logger": "feedback_pipeline.api.requests",
        "message": "request",
        "request_id": "this-one",
        "method": "GET",
        "route": "/probe",
        "status": 200,
        "role": "reviewer",
    }


def test_paths_are_written_as_templates(client: TestClient, log: Log) -> None:
    for path in (f"/feedback/{PRIVATE}", f"/{PRIVATE}", f"/static/{PRIVATE}", f"/docs/assets/{PRIVATE}"):
        client.get(path, headers=bearer("ann", "reviewer"))

    assert [line["route"] for line in requests_in(log)] == [
        "/feedback/{feedback_id}",
        "unmatched",
        "/static/{path}",
        "/docs/assets/{path}",
    ]
    assert PRIVATE not in log.text


def test_methods_nobody_knows_are_not_written(client: TestClient, log: Log) -> None:
    client.request(PRIVATE, "/probe")

    assert requests_in(log)[0]["method"] == "OTHER"
    assert PRIVATE not in log.text.lower()


def test_nothing_is_written_of_who_asked_and_what_was_said(talkative: TestClient, log: Log) -> None:
    sent = token(PRIVATE)
    headers = {"Authorization": f"Bearer {sent}", "Cookie": f"x={PRIVATE}", "User-Agent": PRIVATE}
    for path in ("/say", "/store", "/probe"):
        talkative.post(f"{path}?q={PRIVATE}", json={"text": PRIVATE}, headers=headers)
    talkative.get(f"/broken?words={PRIVATE}", headers=headers)
    talkative.get("/probe", headers={"Authorization": f"Bearer {sent}x"})

    assert len(requests_in(log)) == 5
    assert PRIVATE not in log.text
    assert sent[:40] not in log.text


def test_a_mistake_of_ours_is_written_with_its_place_and_kind(client: TestClient, log: Log) -> None:
    client.get(f"/broken?words={PRIVATE}", headers={"X-Request-ID": "this-one"})

    (line,) = requests_in(log)
    assert (line["level"], line["status"], line["request_id"]) == ("ERROR", 500, "this-one")
    assert "in broken" in line["traceback"]
    assert "KeyError" in line["traceback"]
    assert PRIVATE not in log.text


def test_a_statement_that_failed_is_written_without_its_values(talkative: TestClient, log: Log) -> None:
    for _ in range(2):
        talkative.post("/store", json={"text": PRIVATE})

    assert any("sqlalchemy" in line.get("traceback", "") for line in requests_in(log))
    assert PRIVATE not in log.text


def test_errors_of_the_store_do_not_quote_what_was_to_be_stored(talkative: TestClient) -> None:
    assert isinstance(talkative.app, FastAPI)
    store = talkative.app.state.services.store

    def insert() -> None:
        with store.begin() as session:
            session.execute(text("INSERT INTO no_such_table VALUES (:words)"), {"words": PRIVATE})

    with pytest.raises((SQLAlchemyError, StoreUnavailableError)) as caught:
        insert()
    assert PRIVATE not in str(caught.value)


def test_a_store_that_is_away_is_written_with_what_to_do(client: TestClient, log: Log) -> None:
    client.get("/away")

    (line,) = requests_in(log)
    assert (line["level"], line["status"]) == ("WARNING", 503)
    assert "feedback.db is unavailable: it is gone." in line["traceback"]


def test_the_cause_of_an_error_is_written_too(log: Log) -> None:
    try:
        try:
            raise KeyError(PRIVATE)
        except KeyError as error:
            raise RuntimeError(PRIVATE) from error
    except RuntimeError:
        logging.getLogger("feedback_pipeline").exception("it failed")

    (line,) = log.lines
    assert line["traceback"].index("builtins.KeyError") < line["traceback"].index("builtins.RuntimeError")
    assert PRIVATE not in log.text.replace("PRIVATE", "")
