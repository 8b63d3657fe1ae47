import pytest

from feedback_pipeline.api.pages.session import csrf_token
from feedback_pipeline_tests.api.conftest import token
from feedback_pipeline_tests.api.pages.conftest import Reviewing, text_of

PATHS = (
    "/sign-out",
    "/review/bulk",
    "/review/conflicts/keep",
    *(
        f"/review/items/{{id}}/{action}"
        for action in ("reserve", "release", "skip", "verify", "reject", "edit", "supersede", "reopen", "apply")
    ),
)
FIELDS = {
    "reason": "why",
    "expected": "pending",
    "action": "verify",
    "corrected_sql": "SELECT 2",
    "natural_query": "how many",
}

ELSEWHERE = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://testserver.evil.example"},
)


@pytest.mark.parametrize(
    "csrf",
    [None, "", "0" * 64, csrf_token(token("rita", "admin")), "ä"],
    ids=["missing", "empty", "zeros", "of another session", "no ASCII"],
)
def test_a_form_without_what_only_this_session_knows_is_refused(reader: Reviewing, csrf: str | None) -> None:
    ids = {"feedback_ids": reader.ids["c001"], "keep": reader.ids["c078"], "others": reader.ids["c177"]}
    data = {**FIELDS, **ids, **({} if csrf is None else {"csrf": csrf})}

    answers = [reader.client.post(path.format(id=reader.ids["c001"]), data=data) for path in PATHS]

    assert [answer.status_code for answer in answers] == [403] * len(PATHS)
    assert all("not sent from a page of your session" in text_of(answer) for answer in answers)
    assert [reader.status(key) for key in ("c001", "c078", "c177")] == ["pending"] * 3
    assert reader.get("/review").status_code == 200


def test_a_form_of_another_site_is_refused_even_with_the_right_value(reader: Reviewing) -> None:
    data = {"csrf": reader.csrf(), "expected": "pending"}
    path = f"/review/items/{reader.ids['c001']}/verify"

    answers = [reader.client.post(path, data=data, headers=headers) for headers in ELSEWHERE]

    assert [answer.status_code for answer in answers] == [403] * len(ELSEWHERE)
    assert reader.status("c001") == "pending"


def test_a_form_of_this_site_is_taken(rita: Reviewing) -> None:
    headers = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
    data = {"csrf": rita.csrf(), "expected": "pending"}

    answer = rita.client.post(f"/review/items/{rita.ids['c001']}/verify", data=data, headers=headers)

    assert answer.status_code == 200
    assert rita.status("c001") == "verified"


def test_another_site_signs_nobody_in(nobody: Reviewing) -> None:
    data = {"token": token("eve", "reviewer")}

    answer = nobody.client.post("/sign-in", data=data, headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_every_form_that_changes_something_carries_the_value(reader: Reviewing) -> None:
    for page in (reader.get("/review"), reader.item("c002"), reader.get("/review/conflicts")):
        forms = page.text.lower().split("<form")[1:]
        posting = [form.split("</form")[0] for form in forms if 'method="post"' in form.split(">")[0]]
        assert posting
        assert all('name="csrf"' in form for form in posting)


def test_pages_may_run_no_script_but_their_own_and_stand_in_no_frame(reader: Reviewing) -> None:
    for path in (
        "/sign-in",
        "/review",
        f"/review/items/{reader.ids['hostile']}",
        "/review/conflicts",
        "/review/nowhere",
    ):
        page = reader.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert " style=" not in page.text
        assert " onclick=" not in page.text


def test_files_may_be_kept_for_ever_under_the_version_they_have(reader: Reviewing) -> None:
    page = reader.get("/review").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]

    now, another = reader.get(address), reader.get("/static/app.css?v=0000000000000000")

    assert "immutable" in now.headers["cache-control"]
    assert "immutable" not in another.headers["cache-control"]
    assert reader.get("/static/../session.py").status_code == 404
    assert reader.get("/static/%2e%2e/session.py").status_code == 404


def test_nothing_is_fetched_from_elsewhere(reader: Reviewing) -> None:
    for name in ("app.css", "review.js"):
        text = reader.get(f"/static/{name}").text
        assert "http:" not in text
        assert "https:" not in text
        assert "@import" not in text
