"""What products send, and what became of it, for the tests of everything that comes in."""

import json
from typing import Any, cast

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from feedback_pipeline.api.services import Services
from feedback_pipeline.store import Store
from feedback_pipeline.store.models import FeedbackRow, InteractionRow
from feedback_pipeline_tests.api.conftest import Headers, bearer

Response = Any
"""What the test client answers with: its class differs between versions of the framework."""

CORRECTION = {
    "database_id": "geo",
    "natural_query": "how many rivers are there",
    "generated_sql": "SELECT 1",
    "corrected_sql": "SELECT count(*) FROM river",
    "rating": 4,
    "comment": "rivers, not ones",
}
BACKEND = bearer("product", acts_for_users=True)
"""A product that may speak for its users, and says for whom with On-Behalf-Of."""


def give(
    client: TestClient,
    body: Any,
    headers: Headers | None = None,
    *,
    key: str | None = None,
    on_behalf_of: str | None = None,
) -> Response:
    """Send feedback, by default as ann."""
    more = {"Idempotency-Key": key, "On-Behalf-Of": on_behalf_of}
    given = {name: value for name, value in more.items() if value is not None}
    return send(client, "/feedback", body, {**(headers or bearer()), **given})


def record(client: TestClient, headers: Headers | None = None, **fields: Any) -> Response:
    """Send an interaction with the database ``geo``, by default as ann."""
    body = {"database_id": "geo", "natural_query": "how many rivers?", "output": "SELECT 1", **fields}
    return send(client, "/interactions", body, headers or bearer())


def send(client: TestClient, path: str, body: Any, headers: Headers) -> Response:
    """Send ``body`` as JSON in which any text can stand, half of a character pair too."""
    return client.post(path, content=json.dumps(body), headers={**headers, "Content-Type": "application/json"})


def answer(client: TestClient, headers: Headers | None = None, **fields: Any) -> int:
    """Record an interaction and return its id."""
    response = record(client, headers, **fields)
    assert response.status_code == 201, response.text
    return response.json()["interaction_id"]


def rated(client: TestClient, interaction_id: int) -> tuple[int | None, str | None]:
    """Return rating and reason of an interaction."""
    query = select(InteractionRow.feedback, InteractionRow.feedback_reason)
    with store_of(client).read() as session:
        return session.execute(query.where(InteractionRow.interaction_id == interaction_id)).tuples().one()


def feedback_rows(client: TestClient) -> list[FeedbackRow]:
    """Return all feedback that is stored."""
    return _rows(client, FeedbackRow)


def interaction_rows(client: TestClient) -> list[InteractionRow]:
    """Return all interactions that are stored."""
    return _rows(client, InteractionRow)


def _rows(client: TestClient, model: Any) -> list[Any]:
    with store_of(client).read() as session:
        rows = list(session.scalars(select(model)))
        session.expunge_all()
        return rows


def services_of(client: TestClient) -> Services:
    """Return what the application behind ``client`` works with."""
    return cast(FastAPI, client.app).state.services


def store_of(client: TestClient) -> Store:
    """Return the store behind ``client``."""
    return services_of(client).store


def wrong_fields(response: Response) -> dict[str, str]:
    """Return what a 422 says, by field."""
    assert response.status_code == 422, response.text
    return {error["field"]: error["message"] for error in response.json()["errors"]}
