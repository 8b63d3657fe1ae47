"""How many requests one caller may send."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.api.rate_limits import RateLimitError
from feedback_pipeline_tests.api.conftest import api_settings, bearer, token
from feedback_pipeline_tests.api.probes import add_probes

WRONG = {"Authorization": "Bearer of-nobody"}


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[TestClient]:
    """An application that lets each caller send five requests in an hour, and each address fail three times."""
    app = create_app(api_settings(tmp_path, api_rate_limit="5/hour", api_sign_in_rate_limit="3/hour"))
    add_probes(app)
    with TestClient(app) as opened:
        yield opened


def statuses(client: TestClient, times: int, headers: dict[str, str], path: str = "/probe") -> list[int]:
    return [client.get(path, headers=headers).status_code for _ in range(times)]


def test_one_request_too_many_is_told_when_to_go_on(limited: TestClient) -> None:
    assert statuses(limited, 5, bearer("ann")) == [200] * 5

    refused = limited.get("/probe", headers=bearer("ann"))

    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 3_600
    assert refused.headers["ratelimit-limit"] == "5"
    assert refused.headers["ratelimit-remaining"] == "0"
    assert refused.json()["code"] == "rate_limited"
    assert refused.json()["request_id"] == refused.headers["x-request-id"]


def test_one_caller_uses_up_nothing_of_another(limited: TestClient) -> None:
    statuses(limited, 6, bearer("ann"))

    assert statuses(limited, 1, bearer("bob")) == [200]


def test_another_token_of_the_same_caller_is_the_same_caller(limited: TestClient) -> None:
    statuses(limited, 5, bearer("ann"))

    assert statuses(limited, 1, bearer("ann", "reviewer", jti="another")) == [429]


def test_users_of_one_backend_are_counted_apart(limited: TestClient) -> None:
    backend = bearer("backend", acts_for_users=True)

    assert statuses(limited, 6, {**backend, "On-Behalf-Of": "ann"})[-1] == 429
    assert statuses(limited, 1, {**backend, "On-Behalf-Of": "bob"}) == [200]


def test_naming_others_without_the_right_to_gives_no_more_requests(limited: TestClient) -> None:
    found = [statuses(limited, 1, {**bearer("ann"), "On-Behalf-Of": f"user-{n}"})[0] for n in range(6)]

    assert found == [403] * 5 + [429]


def test_without_a_token_an_address_is_counted(limited: TestClient) -> None:
    assert statuses(limited, 6, {}, "/metrics") == [200] * 5 + [429]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/app.css"])
def test_some_addresses_may_be_asked_for_ever(limited: TestClient, path: str) -> None:
    assert statuses(limited, 20, {}, path) == [200] * 20
    assert statuses(limited, 20, WRONG, path) == [200] * 20


def test_reviewers_behind_one_address_are_counted_apart_from_each_other_and_from_others(limited: TestClient) -> None:
    rita, rolf = ({"Cookie": f"feedback_session={token(name, 'reviewer')}"} for name in ("rita", "rolf"))

    assert statuses(limited, 6, rita, "/metrics") == [200] * 5 + [429]
    assert statuses(limited, 6, rolf, "/metrics") == [200] * 5 + [429]
    assert statuses(limited, 1, {}, "/metrics") == [200]


def test_a_reviewer_is_one_caller_with_a_cookie_and_with_a_header(limited: TestClient) -> None:
    statuses(limited, 5, {"Cookie": f"feedback_session={token('rita', 'reviewer')}"}, "/metrics")

    assert statuses(limited, 1, bearer("rita", "reviewer")) == [429]


def test_a_cookie_opens_no_route_for_programs(limited: TestClient) -> None:
    assert statuses(limited, 1, {"Cookie": f"feedback_session={token('rita', 'admin')}"}) == [401]


def test_tokens_that_do_not_fit_are_counted_in_cookies_too(limited: TestClient) -> None:
    assert statuses(limited, 4, {"Cookie": "feedback_session=of-nobody"}, "/metrics") == [200, 200, 200, 429]


@pytest.mark.parametrize("path", ["/review", "/review/items/x", "/sign-in"])
def test_one_request_too_many_of_a_browser_is_answered_with_a_page(limited: TestClient, path: str) -> None:
    statuses(limited, 5, {}, "/metrics")

    refused = limited.get(path, headers={"Accept": "text/html"})

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["content-type"].startswith("text/html")
    assert "Too many requests" in refused.text


def test_one_request_too_many_of_a_program_is_a_problem_document_wherever_it_goes(limited: TestClient) -> None:
    statuses(limited, 5, {}, "/metrics")

    queue = limited.get("/review-queue", headers={"Accept": "text/html"})
    page = limited.get("/review", headers={"Accept": "*/*"})

    assert [answer.json()["code"] for answer in (queue, page)] == ["rate_limited"] * 2


def test_tokens_that_do_not_fit_may_be_tried_a_few_times_only(limited: TestClient) -> None:
    assert statuses(limited, 4, WRONG) == [401, 401, 401, 429]


def test_whoever_has_a_token_is_not_locked_out_by_others_of_the_same_address(limited: TestClient) -> None:
    statuses(limited, 10, WRONG)

    assert statuses(limited, 1, bearer("ann")) == [200]


def test_signing_in_may_be_tried_a_few_times_only(limited: TestClient) -> None:
    answers = [limited.post("/sign-in", data={"token": "of-nobody"}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_the_addresses_of_one_ipv6_network_are_one(tmp_path: Path) -> None:
    app = create_app(api_settings(tmp_path, api_rate_limit="2/hour"))
    found = []

    for host in ("2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3", "2001:db8:0:1::1"):
        with TestClient(app, client=(host, 50_000)) as client:
            found.append(client.get("/metrics").status_code)

    assert found == [200, 200, 429, 200]


@pytest.mark.parametrize("field", ["api_rate_limit", "api_sign_in_rate_limit"])
@pytest.mark.parametrize("text", ["", "many", "10", "10/fortnight"])
def test_a_limit_that_cannot_be_read_is_named(tmp_path: Path, field: str, text: str) -> None:
    with pytest.raises(RateLimitError, match=f"FEEDBACK_{field.upper()}.*1200/minute"):
        create_app(api_settings(tmp_path, **{field: text}))
