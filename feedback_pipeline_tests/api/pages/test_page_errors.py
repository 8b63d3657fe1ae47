from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.api.pages import queue
from feedback_pipeline_tests.api.conftest import api_settings, token
from feedback_pipeline_tests.api.pages.conftest import Reviewing, fill, reviewing_at, text_of


@pytest.mark.parametrize("path", ["/review/nowhere", "/review/items/a/b/c", "/review/items"])
def test_a_page_that_is_not_there_gives_a_page_that_says_so(reader: Reviewing, path: str) -> None:
    answer = reader.get(path)

    assert answer.status_code == 404
    assert "Nothing here" in text_of(answer)
    assert "Sign out" in text_of(answer)


def test_whoever_is_not_signed_in_learns_nothing_of_what_is_there(nobody: Reviewing) -> None:
    there, missing = (
        nobody.get(path, follow_redirects=False) for path in (f"/review/items/{nobody.ids['c001']}", "/review/items/x")
    )

    assert there.status_code == missing.status_code == 303


def test_while_the_store_is_away_a_page_says_when_to_try_again(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    settings = api_settings(root, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        client.post("/sign-in", data={"token": token("rita", "reviewer")}, follow_redirects=False)

        answer = client.get("/review")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    shown = text_of(answer)
    assert "Try again" in shown
    assert "127.0.0.1:1" not in shown


def test_a_mistake_of_ours_gives_a_page_that_tells_nothing_but_the_id_of_the_request(
    rita: Reviewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("what a user wrote")

    monkeypatch.setattr(queue, "queue_page", broken)

    answer = rita.get("/review")

    assert answer.status_code == 500
    shown = text_of(answer)
    assert "what a user wrote" not in shown
    assert answer.headers["x-request-id"] in shown


@pytest.mark.parametrize("query", ["q=%00", "database=%00", "q=" + "x" * 300, "cursor=%F0%9F%92%A9", "q=%ED%A0%80"])
def test_values_that_no_store_takes_give_a_page(reader: Reviewing, query: str) -> None:
    answer = reader.get(f"/review?{query}")

    assert answer.status_code in (200, 422)
    assert answer.headers["content-type"].startswith("text/html")


def test_pages_work_on_postgres_too(postgres_store_url: str, shop_file: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    fill(api_settings(root, database_url=postgres_store_url), shop_file, tmp_path)
    for rita in reviewing_at(root, database_url=postgres_store_url):
        rita.sign_in()

        queue, item, conflicts = (
            rita.get("/review?q=REPEAT&order=oldest"),
            rita.item("c002"),
            rita.get("/review/conflicts"),
        )
        rita.act("c002", "verify", then="next")
        unreadable = [rita.get("/review?q=%00"), rita.get("/review/items/%00")]

        assert rita.ids["c002"] in queue.text
        assert "The results differ." in text_of(item)
        assert "Keep this answer" in text_of(conflicts)
        assert rita.status("c002") == "verified"
        assert [answer.status_code for answer in unreadable] == [422, 422]
