"""How the widget and its demo page are served."""

import pytest
from fastapi.testclient import TestClient


def test_the_script_may_be_loaded_by_any_page(client: TestClient):
    answer = client.get("/widget.js", headers={"Origin": "https://elsewhere.example"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "max-age=3600" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/widget.js", "/widget/demo", "/widget/demo.js", "/widget/demo.css"])
def test_a_browser_that_has_a_file_does_not_load_it_again(client: TestClient, path: str):
    etag = client.get(path).headers["etag"]

    for known in (etag, f'"other", W/{etag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_script_needs_nothing_that_a_strict_page_forbids(client: TestClient):
    script = client.get("/widget.js").text

    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "import(",
    ):
        assert forbidden not in script


def test_the_demo_runs_under_a_strict_policy_and_hands_out_no_token(client: TestClient):
    answer = client.get("/widget/demo")

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert " on" not in {attribute[:3] for attribute in answer.text.split('="')}
    assert not any(text.startswith("eyJ") for text in answer.text.split('"'))
    assert "set-cookie" not in answer.headers
