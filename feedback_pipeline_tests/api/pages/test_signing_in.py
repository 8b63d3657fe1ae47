import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from feedback_pipeline.api.pages.session import local_path
from feedback_pipeline.cli import app
from feedback_pipeline.settings import get_settings
from feedback_pipeline_tests.api.conftest import token
from feedback_pipeline_tests.api.pages.conftest import MakeReviewing, Reviewing, text_of


def test_the_bare_address_leads_to_signing_in_and_from_there_to_the_queue(nobody: Reviewing) -> None:
    page = nobody.get("/")
    assert page.url.path == "/sign-in"

    queue = nobody.client.post("/sign-in", data={"token": token("rita", "reviewer")})

    assert (queue.status_code, queue.url.path) == (200, "/review")
    assert "Review queue" in queue.text


def test_the_page_names_a_command_that_prints_a_token(nobody: Reviewing, tmp_path: Path) -> None:
    named = re.search(r"feedback-pipeline (token .*?) prints one", text_of(nobody.get("/sign-in")))
    assert named

    get_settings.cache_clear()
    printed = CliRunner().invoke(app, named[1].split(), env={"FEEDBACK_STORAGE_ROOT": str(tmp_path / "own")})
    get_settings.cache_clear()

    assert printed.exit_code == 0, printed.output


def test_the_token_is_kept_where_no_script_and_no_other_site_gets_it(nobody: Reviewing) -> None:
    until = datetime.now(UTC) + timedelta(seconds=600)

    answer = nobody.client.post(
        "/sign-in", data={"token": token("rita", "reviewer", exp=until)}, follow_redirects=False
    )

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("feedback_session=")
    flags = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= flags
    assert "secure" not in flags
    [seconds] = [int(flag.removeprefix("max-age=")) for flag in flags if flag.startswith("max-age=")]
    assert 590 <= seconds <= 600


def test_over_https_the_cookie_is_bound_to_this_host(nobody: Reviewing) -> None:
    with TestClient(nobody.app, base_url="https://review.example.org") as client:
        answer = client.post("/sign-in", data={"token": token("rita", "reviewer")}, follow_redirects=False)
        queue = client.get("/review")

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-feedback_session=")
    assert "secure" in cookie.lower()
    assert "domain" not in cookie.lower()
    assert queue.status_code == 200


def test_a_cookie_is_kept_as_long_as_browsers_do_at_most(nobody: Reviewing) -> None:
    sent = token("rita", "reviewer", exp=253_402_300_799)

    answer = nobody.client.post("/sign-in", data={"token": sent}, follow_redirects=False)

    assert answer.status_code == 303
    assert "Max-Age=34560000;" in answer.headers["set-cookie"]


def test_a_form_that_is_too_large_is_refused_with_a_page(reviewing: MakeReviewing) -> None:
    nobody, browser = reviewing(api_max_body_bytes=2_000), {"Accept": "text/html"}
    typed = {**browser, "Content-Type": "application/x-www-form-urlencoded"}

    declared = nobody.client.post("/sign-in", data={"token": "x" * 3_000}, headers=browser)
    counted = nobody.client.post("/sign-in", content=iter([b"token=", b"x" * 3_000]), headers=typed)

    for answer in (declared, counted):
        assert answer.status_code == 413
        assert "Too much at once" in answer.text


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        ("", 401, "Enter a token"),
        ("nonsense", 401, "cannot be used"),
        (token("rita", "reviewer", exp=datetime.now(UTC) - timedelta(hours=1)), 401, "expired"),
        (token("rita", "reviewer", aud="another"), 401, "audience"),
        (token("rita", "reviewer", exp="4000000000"), 401, "exp"),
        (token("rita", "reviewer", exp=1e300), 401, "exp"),
        (token("ann", "user"), 403, "needs the role reviewer"),
        ("x" * 5_000, 401, "at most 3,800 characters"),
    ],
)
def test_a_token_that_does_not_do_gives_the_form_again_and_says_why(
    reader: Reviewing, sent: str, status: int, says: str
) -> None:
    answer = reader.client.post("/sign-in", data={"token": sent})

    assert answer.status_code == status
    assert says in text_of(answer)
    assert "set-cookie" not in answer.headers
    assert 'name="token"' in answer.text
    assert not sent or sent not in answer.text


def test_who_tries_tokens_has_to_wait(reviewing: MakeReviewing) -> None:
    nobody = reviewing(api_sign_in_rate_limit="3/minute")
    for _ in range(3):
        assert nobody.client.post("/sign-in", data={"token": "wrong"}).status_code == 401

    answer = nobody.client.post("/sign-in", data={"token": token("rita", "reviewer")})

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert 'name="token"' in answer.text


def test_signing_in_leads_on_to_the_page_that_was_asked_for(nobody: Reviewing) -> None:
    asked = nobody.get("/review?checks=failed&q=a b", follow_redirects=False)
    assert asked.status_code == 303
    form = nobody.get(asked.headers["location"])
    assert 'name="next" value="/review?checks=failed&amp;q=a%20b"' in form.text

    answer = nobody.client.post(
        "/sign-in",
        data={"token": token("rita", "reviewer"), "next": "/review?checks=failed&q=a%20b"},
        follow_redirects=False,
    )

    assert answer.headers["location"] == "/review?checks=failed&q=a%20b"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/review",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/review\r\nSet-Cookie: a=b",
        "review",
        "///evil.example",
        "",
        "/sign-out",
        "/sign-in?next=/sign-in",
    ],
)
def test_signing_in_leads_to_no_other_site(reader: Reviewing, elsewhere: str) -> None:
    data = {"token": token("rita", "reviewer"), "next": elsewhere}

    answer = reader.client.post("/sign-in", data=data, follow_redirects=False)

    assert answer.headers["location"] == "/review"
    assert local_path(elsewhere) == "/review"


def test_signing_out_ends_the_session(rita: Reviewing) -> None:
    answer = rita.send("/sign-out")

    assert answer.url.path == "/sign-in"
    assert rita.get("/review", follow_redirects=False).status_code == 303


def test_a_session_that_has_run_out_leads_back_to_signing_in(nobody: Reviewing) -> None:
    old = token("rita", "reviewer", exp=datetime.now(UTC) - timedelta(hours=1))
    nobody.client.cookies.set("feedback_session", old)

    answer = nobody.get("/review/conflicts", follow_redirects=False)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Freview%2Fconflicts"
    assert 'feedback_session=""' in answer.headers["set-cookie"]


def test_a_form_sent_too_late_leads_back_to_the_page_of_the_item(rita: Reviewing) -> None:
    rita.client.cookies.clear()

    answer = rita.client.post(f"/review/items/{rita.ids['c001']}/verify", data={"csrf": "x"}, follow_redirects=False)

    assert answer.headers["location"] == f"/sign-in?next=%2Freview%2Fitems%2F{rita.ids['c001']}"
    assert rita.status("c001") == "pending"


def test_a_link_on_another_site_does_not_sign_anybody_out(rita: Reviewing) -> None:
    """Browsers keep a strict cookie back from links of other sites: the page asks once more, from here."""
    rita.client.cookies.clear()

    answer = rita.get("/review?q=%3Cb%3E", headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/review?q=%3Cb%3E">' in answer.text
    assert "set-cookie" not in answer.headers


def test_a_session_of_a_user_opens_no_page(nobody: Reviewing) -> None:
    nobody.client.cookies.set("feedback_session", token("ann", "user"))

    answer = nobody.get("/review")

    assert answer.status_code == 403
    assert "needs the role reviewer" in text_of(answer)
