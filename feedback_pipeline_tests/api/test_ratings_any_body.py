"""Whatever is sent where feedback comes in: it is stored or refused with a reason, and the server never fails."""

import json
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_pipeline_tests.api.conftest import bearer
from feedback_pipeline_tests.api.sending import answer

FIELDS = [
    *(
        "interaction_id",
        "rating",
        "reason",
        "database_id",
        "natural_query",
        "generated_sql",
        "corrected_sql",
        "comment",
    ),
    *("kind", "output", "model", "trace_id", "chunks", "examples", "retrieval_id", "chunk_id", "text", "score", "rank"),
    *("in_scope", "example_id", "index_version", "withheld"),
]
TEXTS = st.text(st.characters(), max_size=30) | st.sampled_from(["", " ", "\0", "\ud800", "geo", "rag", "1", "NaN"])
NUMBERS = (
    st.integers(-2, 7)
    | st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63), 10**400])
    | st.floats()
    | st.sampled_from([1.0])
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | TEXTS, inner, max_size=5),
    max_leaves=12,
)
PLAUSIBLE = {
    "interaction_id": st.just(1),
    "rating": st.sampled_from([1, -1, 3]),
    "database_id": st.sampled_from(["geo", "käse 🚀"]),
    "natural_query": st.just("how many?"),
    "corrected_sql": st.just("SELECT 1"),
    "chunks": st.lists(
        st.fixed_dictionaries({"chunk_id": SCALARS}, optional={"rank": NUMBERS, "score": NUMBERS}), max_size=3
    ),
    "examples": st.lists(st.fixed_dictionaries({"example_id": TEXTS}, optional={"rank": NUMBERS}), max_size=3),
    "retrieval_id": st.uuids().map(str),
}
NEARLY = st.fixed_dictionaries({}, optional={name: usual | VALUES for name, usual in PLAUSIBLE.items()})
KEYS = st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=210).map(str.strip)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/feedback", "/interactions"]), body=NEARLY | VALUES, key=KEYS)
def test_any_json_is_stored_or_refused(client_of_each_store: TestClient, path: str, body: Any, key: str | None):
    client = client_of_each_store
    headers = {**bearer(), "Content-Type": "application/json", **({"Idempotency-Key": key} if key is not None else {})}

    response = client.post(path, content=json.dumps(body), headers=headers)

    assert response.status_code in {201, 204, 404, 422}, response.text
    if response.status_code in {404, 422}:
        assert response.headers["Content-Type"] == "application/problem+json"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/feedback", "/interactions"]), body=st.binary(max_size=60))
def test_any_bytes_are_refused_without_a_failure(client: TestClient, path: str, body: bytes):
    response = client.post(path, content=body, headers={**bearer(), "Content-Type": "application/json"})

    assert response.status_code in {400, 422}, response.text


def test_deep_nesting_and_endless_numbers_are_refused(client: TestClient):
    answer(client)
    bodies = ["[" * 100_000, '{"a":' * 50_000, '{"interaction_id": ' + "9" * 50_000 + ', "rating": 1}']

    statuses = [client.post("/feedback", content=body, headers=bearer()).status_code for body in bodies]

    assert set(statuses) <= {400, 422}
