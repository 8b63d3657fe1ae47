"""What the OpenAPI document promises is kept, whatever is sent: no 5xx, no undeclared answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from feedback_pipeline.api import create_app
from feedback_pipeline_tests.api.conftest import api_settings, bearer
from feedback_pipeline_tests.store.samples import submit

CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
ROLES = ("user", "reviewer", "admin")
OPERATIONS = [
    (method, path)
    for path, item in create_app(api_settings(Path("unused"))).openapi()["paths"].items()
    for method in item
]
PUBLIC = {("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics"), ("get", "/widget.js")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """An application with some feedback in it, whose runs do nothing, and before whom nobody is too quick."""
    app = create_app(api_settings(tmp_path_factory.mktemp("openapi") / "data", api_rate_limit="1000000/second"))
    submit(app.state.services.store, "a", "b", "c")
    app.state.services.runs.close()
    yield app
    app.state.services.close()


@pytest.fixture(scope="module")
def document(served: FastAPI) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", served)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_declared_and_none_is_an_error_of_the_server(
    document: schemathesis.BaseSchema, method: str, path: str
):
    operation = document[path][method]
    sent = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @given(case=sent, role=st.sampled_from(ROLES))
    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=HEALTH)
    def check(case: Case, role: str) -> None:
        # A caller for each operation: one of them opts its caller out, who could do little afterwards.
        case.call_and_validate(headers=bearer(f"{role} of {path}", role), checks=CHECKS)

    check()


def test_every_route_but_the_public_ones_asks_for_a_token(served: FastAPI):
    paths = served.openapi()["paths"]

    unguarded = {(method, path) for method, path in OPERATIONS if not paths[path][method].get("security")}

    assert unguarded == PUBLIC & set(OPERATIONS)
