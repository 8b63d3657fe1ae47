"""What Prometheus reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from feedback_pipeline.api import app as application
from feedback_pipeline.api import create_app
from feedback_pipeline.api.metrics import Standing, remembered
from feedback_pipeline.api.services import Services
from feedback_pipeline.store import Submission, submit_many
from feedback_pipeline_tests.api.conftest import api_settings, bearer

PRIVATE = "private-words"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Whoever scrapes, and always sees the present."""
    monkeypatch.setattr(application, "STANDING_SECONDS", 0.0)
    with TestClient(create_app(api_settings(tmp_path)), raise_server_exceptions=False) as opened:
        yield opened


def services_of(client: TestClient) -> Services:
    assert isinstance(client.app, FastAPI)
    return client.app.state.services


def scraped(client: TestClient) -> dict[tuple[str, ...], float]:
    """Return all samples by name and the values of their labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_requests_are_counted_and_timed_by_route_and_class_of_status(client: TestClient) -> None:
    for _ in range(3):
        client.get("/healthz")
    client.get(f"/feedback/{PRIVATE}", headers=bearer())

    numbers = scraped(client)

    assert numbers["feedback_api_requests_total", "GET", "/healthz", "2xx"] == 3
    assert numbers["feedback_api_requests_total", "GET", "/feedback/{feedback_id}", "4xx"] == 1
    assert numbers["feedback_api_request_seconds_count", "GET", "/healthz", "2xx"] == 3


def test_addresses_that_do_not_exist_are_one_number(client: TestClient) -> None:
    for number in range(5):
        client.get(f"/{PRIVATE}-{number}")

    assert scraped(client)["feedback_api_requests_total", "GET", "unmatched", "4xx"] == 5


def test_corrections_are_counted_by_status_when_asked(client: TestClient) -> None:
    submit_many(services_of(client).store, [Submission("shop", f"{PRIVATE} {n}", None, "SELECT 1") for n in range(2)])

    numbers = scraped(client)

    assert numbers["feedback_store_up",] == 1
    assert numbers["feedback_corrections", "pending"] == 2
    assert numbers["feedback_corrections", "verified"] == 0


def test_a_store_that_is_away_does_not_spoil_the_scrape(tmp_path: Path) -> None:
    app = create_app(api_settings(tmp_path, database_url="postgresql+psycopg://ann@127.0.0.1:1/feedback"))

    with TestClient(app) as client:
        numbers = scraped(client)

    assert numbers["feedback_store_up",] == 0
    assert not [key for key in numbers if key[0] == "feedback_corrections"]


def test_the_live_index_is_told_by_number_and_age(sample_root: Path) -> None:
    app = create_app(api_settings(sample_root))

    with TestClient(app) as client:
        numbers = scraped(client)

    assert numbers["feedback_index_version",] == 1
    assert 0 <= numbers["feedback_index_age_seconds",] < 86_400


def test_searches_are_counted_by_what_they_found(client: TestClient) -> None:
    metrics = services_of(client).metrics
    metrics.note_search(given=2, withheld=1)
    metrics.note_search(given=0)

    numbers = scraped(client)

    assert numbers["feedback_examples_total", "given"] == 2
    assert numbers["feedback_examples_total", "withheld"] == 1
    assert numbers["feedback_searches_total", "examples"] == 1
    assert numbers["feedback_searches_total", "none"] == 1
    assert numbers["feedback_influence_dropped_total",] == 0


def test_refused_requests_are_counted(tmp_path: Path) -> None:
    app = create_app(api_settings(tmp_path, api_rate_limit="3/hour"))

    with TestClient(app, raise_server_exceptions=False) as client:
        for _ in range(5):
            client.get("/feedback?mine=true", headers=bearer())
        numbers = scraped(client)

    assert numbers["feedback_api_rate_limited_total", "requests"] == 2
    assert numbers["feedback_api_rate_limited_total", "sign_ins"] == 0


def test_nothing_of_what_was_said_or_who_said_it_is_public(client: TestClient) -> None:
    headers = bearer(PRIVATE, "user", databases=[PRIVATE])
    correction = {"database_id": PRIVATE, "natural_query": PRIVATE, "corrected_sql": f"SELECT '{PRIVATE}'"}
    client.post("/feedback", json=correction, headers=headers)
    client.request(PRIVATE, f"/{PRIVATE}", headers=headers)

    assert PRIVATE not in client.get("/metrics").text.lower()


def test_two_applications_count_apart(tmp_path: Path) -> None:
    with (
        TestClient(create_app(api_settings(tmp_path / "a"))) as one,
        TestClient(create_app(api_settings(tmp_path / "b"))) as two,
    ):
        one.get("/healthz")

        assert ("feedback_api_requests_total", "GET", "/healthz", "2xx") not in scraped(two)


def test_scraping_often_asks_the_store_seldom() -> None:
    asked: list[Standing] = []

    def look() -> Standing:
        asked.append(Standing({}, None, None, 0))
        return asked[-1]

    current = remembered(look, 60)

    assert current() is current()
    assert len(asked) == 1
