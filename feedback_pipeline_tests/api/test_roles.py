"""Every role at every route. A route that is not in the table fails the tests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute, Mount

from feedback_pipeline.api import create_app
from feedback_pipeline.api.pages.session import csrf_token
from feedback_pipeline.api.runs import PipelineRuns
from feedback_pipeline.store import CheckRecord, Submission, record_checks, submit_many
from feedback_pipeline_tests.api.conftest import api_settings, token
from feedback_pipeline_tests.api.worlds import CHECKED

CALLERS: dict[str, dict[str, Any]] = {
    "nobody": {},
    "submitter": {"subject": "ann"},
    "other": {"subject": "bob"},
    "reviewer": {"subject": "rae", "role": "reviewer"},
    "admin": {"subject": "root", "role": "admin"},
    # The same people with a token for another database than the one the feedback is about.
    "sub_away": {"subject": "ann", "databases": ["elsewhere"]},
    "rev_away": {"subject": "rae", "role": "reviewer", "databases": ["elsewhere"]},
    "adm_away": {"subject": "root", "role": "admin", "databases": ["elsewhere"]},
    # A product's backend that names the submitter, and a user who has no right to.
    "backend": {"subject": "product", "acts_for_users": True, "for": "ann"},
    "pretender": {"subject": "bob", "for": "ann"},
}

OK = "ok"
"""Let in: the status is none of 401, 403, 404 and nothing of 5xx. What the route then says is its own matter."""

ANYBODY = dict.fromkeys(CALLERS, OK)

Ask = Callable[[str, str], Any]


def row(*expected: Any) -> dict[str, Any]:
    """Return what each caller gets, in the order of ``CALLERS``."""
    return dict(zip(CALLERS, expected, strict=True))


#                       nobody subm other  rev  admin s_aw r_aw a_aw  back  pret
USERS = row(               401, OK,  OK,   OK,  OK,   OK,  OK,  OK,   OK,   403)  # fmt: skip
USERS_OF_SHOP = row(       401, OK,  OK,   OK,  OK,   404, 404, 404,  OK,   403)  # fmt: skip
WHO_MAY_SEE = row(         401, OK,  404,  OK,  OK,   404, 404, 404,  OK,   403)  # fmt: skip
REVIEWERS = row(           401, 403, 403,  OK,  OK,   403, OK,  OK,   403,  403)  # fmt: skip
REVIEWERS_OF_SHOP = row(   401, 403, 403,  OK,  OK,   403, 404, 404,  403,  403)  # fmt: skip
ADMINS = row(              401, 403, 403,  403, OK,   403, 403, OK,   403,  403)  # fmt: skip
#                       nobody subm other  rev  admin s_aw r_aw a_aw  back  pret
PAGES = row(               303, 403, 403,  OK,  OK,   403, OK,  OK,   403,  403)  # fmt: skip
PAGES_OF_SHOP = row(       303, 403, 403,  OK,  OK,   403, 404, 404,  403,  403)  # fmt: skip
PAGES_OF_ADMINS = row(     303, 403, 403,  403, OK,   403, 403, OK,   403,  403)  # fmt: skip
NO_PAGE = row(             303, 403, 403,  404, 404,  403, 404, 404,  403,  403)  # fmt: skip

CORRECTION = {
    "database_id": "shop",
    "natural_query": "how many orders?",
    "corrected_sql": "SELECT count(*) FROM orders",
}
REASON = {"reason": "it is wrong"}


@dataclass(frozen=True)
class Route:
    """One line of the table: what each caller gets, and what is sent, ``first`` before it."""

    expected: dict[str, Any]
    json: Any = None
    query: str = ""
    form: dict[str, Any] | None = None
    first: tuple[str, str] | None = None


TABLE: dict[str, Route] = {
    "GET /healthz": Route(ANYBODY),
    "GET /readyz": Route(ANYBODY),
    "GET /metrics": Route(ANYBODY),
    "GET /openapi.json": Route(ANYBODY),
    "GET /docs": Route(ANYBODY),
    "GET /docs/assets/swagger-ui.css": Route(ANYBODY),
    "GET /static/app.css": Route(ANYBODY),
    "GET /widget.js": Route(ANYBODY),
    "GET /widget/demo": Route(ANYBODY),
    "GET /widget/demo.js": Route(ANYBODY),
    "GET /widget/demo.css": Route(ANYBODY),
    "GET /": Route(ANYBODY),
    "GET /sign-in": Route(ANYBODY),
    # What is sent is a token of a reviewer, whoever sends it.
    "POST /sign-in": Route(ANYBODY, form={"token": token("rae", "reviewer")}),
    "POST /feedback": Route(USERS_OF_SHOP, json=CORRECTION),
    "POST /interactions": Route(USERS_OF_SHOP, json={**CORRECTION, "kind": "text2sql", "output": "SELECT 1"}),
    "POST /examples/search": Route(USERS_OF_SHOP, json={"database_id": "shop", "natural_query": "how many?"}),
    "POST /feedback/opt-out": Route(USERS),
    "DELETE /feedback/opt-out": Route(USERS),
    "DELETE /feedback/mine": Route(USERS),
    "GET /feedback/mine/erasure": Route(USERS, first=("DELETE", "/feedback/mine")),
    "GET /feedback/{feedback_id}": Route(WHO_MAY_SEE),
    "GET /feedback": Route(USERS, query="?mine=true"),
    "GET /review-queue": Route(REVIEWERS),
    "GET /review-queue/{feedback_id}": Route(REVIEWERS_OF_SHOP),
    "POST /feedback/{feedback_id}/reservation": Route(REVIEWERS_OF_SHOP),
    "DELETE /feedback/{feedback_id}/reservation": Route(REVIEWERS_OF_SHOP),
    "POST /feedback/{feedback_id}/verify": Route(REVIEWERS_OF_SHOP, json={}),
    "POST /feedback/{feedback_id}/reject": Route(REVIEWERS_OF_SHOP, json=REASON),
    "POST /feedback/{feedback_id}/supersede": Route(REVIEWERS_OF_SHOP, json={}),
    "POST /feedback/{feedback_id}/reopen": Route(REVIEWERS_OF_SHOP, json={}),
    "POST /feedback/{feedback_id}/keep": Route(REVIEWERS_OF_SHOP, json={}),
    "POST /feedback/{feedback_id}/edit": Route(REVIEWERS_OF_SHOP, json={"corrected_sql": "SELECT 2"}),
    "POST /feedback/{feedback_id}/apply": Route(REVIEWERS_OF_SHOP, json={}),
    "GET /insights": Route(REVIEWERS),
    "POST /feedback/bulk-verify": Route(ADMINS, json={"feedback_ids": ["{feedback_id}"]}),
    "GET /review": Route(PAGES),
    "GET /review/conflicts": Route(PAGES),
    "GET /review/conflicts/decided": Route(PAGES),
    "GET /review/insights": Route(PAGES),
    "GET /review/items/{feedback_id}": Route(PAGES_OF_SHOP),
    "POST /sign-out": Route(PAGES, form={}),
    "POST /review/items/{feedback_id}/reserve": Route(PAGES_OF_SHOP, form={}),
    "POST /review/items/{feedback_id}/release": Route(PAGES_OF_SHOP, form={}),
    "POST /review/items/{feedback_id}/skip": Route(PAGES_OF_SHOP, form={}),
    "POST /review/items/{feedback_id}/verify": Route(PAGES_OF_SHOP, form={}),
    "POST /review/items/{feedback_id}/reject": Route(PAGES_OF_SHOP, form=REASON),
    "POST /review/items/{feedback_id}/supersede": Route(PAGES_OF_SHOP, form={}),
    "POST /review/items/{feedback_id}/reopen": Route(PAGES_OF_SHOP, form={}),
    "POST /review/items/{feedback_id}/keep": Route(PAGES_OF_SHOP, form={}),
    "POST /review/items/{feedback_id}/edit": Route(PAGES_OF_SHOP, form={"corrected_sql": "SELECT 2"}),
    "POST /review/items/{feedback_id}/apply": Route(PAGES_OF_SHOP, form={}),
    "POST /review/bulk": Route(PAGES, form={"action": "reject", "feedback_ids": "{feedback_id}", **REASON}),
    "POST /review/conflicts/keep": Route(PAGES, form={"keep": "{feedback_id}", "others": "{feedback_id}"}),
    "GET /review/{path:path}": Route(NO_PAGE),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """An application whose pipeline runs do nothing."""
    made = create_app(api_settings(tmp_path_factory.mktemp("roles"), api_rate_limit="100000/minute"))
    services = made.state.services
    services.runs = PipelineRuns(services.settings, command=("true",))
    return made


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    """Whoever sends requests, and follows no redirects."""
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def ask(app: FastAPI, client: TestClient) -> Ask:
    """Send what a line of the table says, as a caller, about feedback that ann has just given."""

    def send(line: str, caller: str) -> Any:
        # A caller of an earlier test may have taken everything back.
        client.delete("/feedback/opt-out", headers={"Authorization": f"Bearer {token('ann')}"})
        client.delete("/feedback/opt-out", headers={"Authorization": f"Bearer {token('bob')}"})
        route, claims = TABLE[line], dict(CALLERS[caller])
        method, path = line.replace("{feedback_id}", given_by_ann(app)).replace("{path:path}", "nowhere").split(" ")
        user = claims.pop("for", None)
        sent = token(**claims) if claims else None
        headers = {"Authorization": f"Bearer {sent}"} if sent else {}
        client.cookies.clear()
        if sent:
            client.cookies.set("feedback_session", sent)
        feedback_id = path.split("/")[2] if "/feedback/" in path else given_by_ann(app)
        form = None if route.form is None else {**filled(route.form, feedback_id), "csrf": csrf_token(sent or "")}
        headers |= {"On-Behalf-Of": user} if user else {}
        if route.first:
            client.request(*route.first, headers=headers)
        return client.request(
            method,
            path + route.query,
            headers=headers,
            json=filled(route.json, feedback_id),
            data=form,
        )

    return send


def given_by_ann(app: FastAPI) -> str:
    """Store a correction for the database ``shop`` that passed its checks, and return its id."""
    store = app.state.services.store
    [stored] = submit_many(
        store, [Submission("shop", "how many?", "SELECT 1", "SELECT count(*) FROM o", user_id="ann")]
    )
    record_checks(store, [CheckRecord(stored.feedback_id, CHECKED, "v1", True)])
    return stored.feedback_id


def filled(value: Any, feedback_id: str) -> Any:
    """Return ``value`` with the id where it says so."""
    if isinstance(value, dict):
        return {name: filled(inner, feedback_id) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, feedback_id) for inner in value]
    return value.replace("{feedback_id}", feedback_id) if isinstance(value, str) else value


def routes_of(routes: list[BaseRoute]) -> Iterator[str]:
    """Return every method and path there is; of mounted files the folder."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included.routes)
        elif isinstance(route, Mount):
            yield f"GET {route.path}/"
        else:
            yield from (f"{method} {route.path}" for method in route.methods - {"HEAD"})  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("line", TABLE)
def test_each_caller_gets_what_the_table_says(ask: Ask, line: str, caller: str) -> None:
    expected = TABLE[line].expected[caller]

    answer = ask(line, caller)

    let_in = answer.status_code not in {401, 403, 404} and answer.status_code < 500
    got_in = let_in and (line == "POST /sign-out" or "/sign-in" not in answer.headers.get("location", ""))
    assert got_in if expected == OK else answer.status_code == expected, f"{answer.status_code} {answer.text[:300]}"


def test_every_route_is_in_the_table(app: FastAPI) -> None:
    there_are = set(routes_of(app.routes))
    folders = {route for route in there_are if route.endswith("/") and route != "GET /"}
    listed = {next((folder for folder in folders if line.startswith(folder)), line) for line in TABLE}

    assert sorted(there_are - listed) == []
    assert sorted(listed - there_are) == []


def test_nothing_public_is_found_under_a_path_that_only_looks_alike(client: TestClient) -> None:
    for path in (
        "/review-queue/",
        "//review-queue",
        "/Review-Queue",
        "/./review-queue",
        "/review-queue%2f",
        "/healthz/../review-queue",
    ):
        assert client.get(path).status_code in {307, 401, 404}, path
