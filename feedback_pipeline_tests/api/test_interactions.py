"""Interactions over HTTP: what is kept of an answer, and whose it is."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from feedback_pipeline.store.models import RetrievedChunkRow, RetrievedExampleRow
from feedback_pipeline_tests.api.conftest import Headers, bearer
from feedback_pipeline_tests.api.sending import BACKEND, answer, interaction_rows, record, store_of, wrong_fields
from feedback_pipeline_tests.store.running import together

RETRIEVAL = "0198f3f0-0000-7000-8000-000000000001"
CHUNK = {"chunk_id": "c1", "text": "A long inlet.", "score": 0.5, "rank": 3, "in_scope": True}
EXAMPLE = {"example_id": "e1", "rank": 2, "score": 0.25, "index_version": 7, "withheld": True}


def retrieved(client: TestClient, table: Any) -> list[dict[str, Any]]:
    columns = [column for column in table.__table__.columns if column.name != "interaction_id"]
    with store_of(client).read() as session:
        return [dict(row) for row in session.execute(select(*columns).order_by(table.rank)).mappings()]


def test_an_answer_is_kept_with_what_was_retrieved_for_it(client_of_each_store: TestClient):
    client = client_of_each_store
    fields = {
        "model": "m1",
        "trace_id": "t1",
        "retrieval_id": RETRIEVAL.upper(),
        "chunks": [CHUNK],
        "examples": [EXAMPLE],
    }

    response = record(client, **fields)

    assert (response.status_code, response.json()) == (201, {"interaction_id": 1, "stored": True})
    [row] = interaction_rows(client)
    assert (row.kind, row.database_id, row.natural_query, row.output) == (
        "text2sql",
        "geo",
        "how many rivers?",
        "SELECT 1",
    )
    assert (row.model, row.trace_id, row.retrieval_id, row.source) == ("m1", "t1", RETRIEVAL, "user_feedback")
    assert retrieved(client, RetrievedChunkRow) == [CHUNK]
    assert retrieved(client, RetrievedExampleRow) == [EXAMPLE]


def test_a_rank_that_is_not_given_is_the_place_in_the_list(client: TestClient):
    record(client, chunks=[{"chunk_id": "a"}, {"chunk_id": 7}], examples=[{"example_id": "x"}, {"example_id": "y"}])

    assert [(row["rank"], row["chunk_id"]) for row in retrieved(client, RetrievedChunkRow)] == [(1, "a"), (2, "7")]
    examples = retrieved(client, RetrievedExampleRow)
    assert [(row["rank"], row["example_id"], row["withheld"]) for row in examples] == [(1, "x", False), (2, "y", False)]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "text2sql"),
        ({"database_id": None}, "text2sql"),
        ({"chunks": [CHUNK]}, "text2sql"),
        ({"chunks": [CHUNK], "database_id": None}, "rag"),
        ({"kind": "rag"}, "rag"),
        ({"kind": "text2sql", "chunks": [CHUNK], "database_id": None}, "text2sql"),
    ],
)
def test_its_kind_is_what_was_said_or_what_it_looks_like(client: TestClient, fields: dict[str, Any], kind: str):
    record(client, **fields)

    assert [row.kind for row in interaction_rows(client)] == [kind]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "chat"}, "kind"),
        ({"natural_query": None}, "natural_query"),
        ({"natural_query": " "}, "natural_query"),
        ({"natural_query": "x" * 4_001}, "natural_query"),
        ({"output": "\0"}, "output"),
        ({"model": "x" * 201}, "model"),
        ({"database_id": 7}, "database_id"),
        ({"retrieval_id": "latest"}, "retrieval_id"),
        ({"chunks": {}}, "chunks"),
        ({"chunks": [{"chunk_id": str(n)} for n in range(1_001)]}, "chunks"),
        ({"examples": [{"example_id": str(n)} for n in range(101)]}, "examples"),
        ({"chunks": ["c1"]}, "chunks.0"),
        ({"chunks": [{}]}, "chunks.0.chunk_id"),
        ({"chunks": [{"chunk_id": " "}]}, "chunks.0.chunk_id"),
        ({"chunks": [CHUNK, {**CHUNK, "chunk_id": "c2"}]}, "body"),
        ({"chunks": [CHUNK, {**CHUNK, "rank": 1}]}, "body"),
        ({"chunks": [{"chunk_id": "a", "rank": 2}, {"chunk_id": "b"}]}, "body"),
        ({"chunks": [{**CHUNK, "rank": -1}]}, "chunks.0.rank"),
        ({"chunks": [{**CHUNK, "rank": "1"}]}, "chunks.0.rank"),
        ({"chunks": [{**CHUNK, "score": "high"}]}, "chunks.0.score"),
        ({"chunks": [{**CHUNK, "score": True}]}, "chunks.0.score"),
        ({"chunks": [{**CHUNK, "in_scope": 1}]}, "chunks.0.in_scope"),
        ({"chunks": [{**CHUNK, "text": "\ud800"}]}, "chunks.0.text"),
        ({"examples": [EXAMPLE, EXAMPLE]}, "body"),
        ({"examples": [{**EXAMPLE, "example_id": "\0"}]}, "examples.0.example_id"),
        ({"examples": [{**EXAMPLE, "index_version": 2**63}]}, "examples.0.index_version"),
        ({"examples": [{**EXAMPLE, "withheld": "no"}]}, "examples.0.withheld"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(client: TestClient, change: dict[str, Any], field: str):
    assert set(wrong_fields(record(client, **change))) == {field}
    assert interaction_rows(client) == []


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_score_is_a_finite_number(client: TestClient, score: str):
    body = f'{{"natural_query": "why?", "chunks": [{{"chunk_id": "a", "score": {score}}}]}}'

    response = client.post("/interactions", content=body, headers={**bearer(), "Content-Type": "application/json"})

    assert set(wrong_fields(response)) == {"chunks.0.score"}


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        (bearer("ann"), "ann"),
        (bearer("rita", "reviewer"), "rita"),
        ({**BACKEND, "On-Behalf-Of": "ann"}, "ann"),
        ({**bearer("ada", "admin"), "On-Behalf-Of": "ann"}, "ann"),
        (BACKEND, None),
        (bearer("ada", "admin"), None),
    ],
)
def test_it_is_of_the_caller_or_of_whom_a_backend_names(client: TestClient, headers: Headers, user: str | None):
    record(client, headers)

    [row] = interaction_rows(client)
    assert row.user_hash == (None if user is None else store_of(client).hash_user(user))


def test_a_database_that_is_not_the_callers_does_not_exist(client: TestClient):
    response = record(client, bearer(databases=["shop"]))

    assert (response.status_code, response.json()["code"]) == (404, "unknown_database")
    assert interaction_rows(client) == []
    assert record(client, bearer(databases=["shop"]), database_id=None).status_code == 201


def test_a_retry_is_answered_with_the_first_id_and_other_content_refused(client_of_each_store: TestClient):
    client, headers = client_of_each_store, {**bearer(), "Idempotency-Key": "k1"}

    responses = together(*[lambda: record(client, headers, chunks=[CHUNK], examples=[EXAMPLE]) for _ in range(20)])
    other = record(client, headers, chunks=[CHUNK])

    assert {(response.status_code, response.json()["interaction_id"]) for response in responses} == {(201, 1)}
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(interaction_rows(client)) == 1


def test_the_same_key_serves_an_interaction_and_a_correction(client: TestClient):
    headers = {**bearer(), "Idempotency-Key": "k1"}

    number = answer(client, headers)
    correction = {"database_id": "geo", "natural_query": "how many", "comment": "no", "interaction_id": number}

    assert client.post("/feedback", json=correction, headers=headers).status_code == 201


def test_a_thousand_chunks_are_kept(client: TestClient):
    record(client, chunks=[{"chunk_id": str(n), "text": "passage", "score": n / 7} for n in range(1_000)])

    assert [row["rank"] for row in retrieved(client, RetrievedChunkRow)] == list(range(1, 1_001))
