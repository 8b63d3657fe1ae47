import re
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from fastapi.testclient import TestClient

from feedback_pipeline.store import Store
from feedback_pipeline_tests.api.conftest import token
from feedback_pipeline_tests.api.widget_pages import chromium, complaints_of
from feedback_pipeline_tests.client.servers import serving
from feedback_pipeline_tests.insight.stories import NOW, answer, becomes, retrieve, tell

PAGE = "/review/insights"
PLOTS = ("Where feedback stands", "From submission to use", "Queries that got an example", "Mistakes, taught and new",
         "Who decides", "Thumbs", "Corrections by use", "Contributors by how much they gave",
         "What examples do")  # fmt: skip
HOSTILE = "</text></svg><script>alert(1)</script> \u202e{{7*7}}"


@pytest.fixture
def store(app: FastAPI) -> Store:
    return app.state.services.store


@pytest.fixture
def busy(store: Store) -> str:
    """Let something of everything have happened in the last days; return the correction that was used."""
    hours = (NOW - datetime.now(UTC)).total_seconds() / 3_600
    used = tell(
        store,
        *(("submitted", hours + 30), ("verified", hours + 20, "ada@example.com"), ("applied", hours + 10, "pipeline")),
        question=HOSTILE,
        sql="SELECT 1",
    )
    tell(store, ("submitted", hours + 5), sql="SELECT 1", mistake=True)
    tell(store, ("submitted", hours + 40), ("rejected", hours + 30, HOSTILE))
    becomes(store, used, "e1")
    retrieve(store, hours + 2, "e1")
    retrieve(store, hours + 1)
    answer(store, hours + 1, feedback=-1)
    given = retrieve(store, hours + 1, "e1", rate=0.5)
    withheld = retrieve(store, hours + 1, withheld=("e1",), rate=0.5)
    for retrieval_id, rating in ((given, -1), (withheld, 1)):
        answer(store, hours + 1, feedback=rating, retrieval_id=retrieval_id)
    return used


def see(client: TestClient, query: str = "", **claims: Any) -> Any:
    client.cookies.clear()
    client.post("/sign-in", data={"token": token("rita", "reviewer", **claims)})
    return client.get(PAGE + query)


def test_who_is_not_signed_in_is_sent_to_sign_in(client: TestClient) -> None:
    seen = client.get(PAGE, follow_redirects=False)

    assert seen.status_code == 303
    assert "sign-in" in seen.headers["location"]


def test_every_plot_has_a_title_a_description_and_a_table(client: TestClient, busy: str) -> None:
    html = see(client).text

    for title in PLOTS:
        assert html.count(f">{title}</title>") == 2  # wide and narrow
    drawn = re.findall(r'<svg class="(?:wide|narrow)".*?</desc>', html, re.S)
    assert len(drawn) == 2 * len(PLOTS)
    for svg in drawn:
        [[title_id, desc_id]] = re.findall(r'role="img" aria-labelledby="(\S+) (\S+)"', svg)
        assert f'<title id="{title_id}">' in svg
        assert f'<desc id="{desc_id}">' in svg
    assert html.count('<details class="numbers">') == len(PLOTS)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_the_correction_used_most_leads_to_its_item(client: TestClient, busy: str) -> None:
    assert f'href="/review/items/{busy}"' in see(client).text


def test_the_examples_whose_effect_is_surest_are_named_with_their_lift(client: TestClient, busy: str) -> None:
    html = see(client).text

    assert "1 example can be compared. One example of all: −100.0 points" in html
    surest = html.split('id="surest-heading"')[1].split("</section>")[0]
    assert f'href="/review/items/{busy}"' in surest
    assert "−100.0 points (" in surest


def test_an_empty_store_is_told_in_sentences_not_in_empty_plots(client: TestClient) -> None:
    html = see(client).text

    assert "<svg class" not in html.replace('<svg class="hbar"', "")
    assert html.count('class="empty-plot"') == len(PLOTS) + 1
    assert "No feedback has been submitted." in html


def test_what_users_wrote_is_shown_and_does_nothing(client: TestClient, busy: str) -> None:
    html = see(client).text

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "U+202E" in html
    assert "{{7*7}}" in html


def test_nothing_on_the_page_needs_inline_style_or_script(client: TestClient, busy: str) -> None:
    seen = see(client)

    assert "style-src 'self'" in seen.headers["content-security-policy"]
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]* src=)", seen.text)


def test_only_the_databases_of_the_reviewer_are_counted_and_offered(client: TestClient, busy: str) -> None:
    mine, others = see(client), see(client, databases=["shop"])

    assert '<option value="geo"' in mine.text
    assert "geo" not in others.text
    assert busy not in others.text
    assert see(client, "?database=geo", databases=["shop"]).status_code == 404


def test_one_database_can_be_chosen(client: TestClient, store: Store, busy: str) -> None:
    tell(store, ("submitted", 1), database_id="shop")

    html = see(client, "?database=shop&days=730").text

    assert '<option value="shop" selected>' in html
    assert '<option value="730" selected>' in html
    assert busy not in html


@pytest.mark.parametrize("query", ["?days=0", "?days=731", "?days=many", "?database=" + "x" * 201])
def test_what_cannot_be_shown_is_answered_with_a_page(client: TestClient, query: str) -> None:
    seen = see(client, query)

    assert seen.status_code == 422
    assert "<h1" in seen.text


def test_on_a_phone_the_page_fits_its_labels_are_legible_and_axe_finds_nothing(app: FastAPI, busy: str) -> None:
    with chromium() as browser, serving(app) as url:
        context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
        context.add_cookies([{"name": "feedback_session", "value": token("rita", "reviewer"), "url": url}])
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto(url + PAGE)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

        found = Axe().run(page).response["violations"]
        fits = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        heights = page.evaluate(
            "[...document.querySelectorAll('.plot svg text')].map(t => t.getBoundingClientRect().height).filter(h => h)"
        )

    assert [violation["id"] for violation in found] == []
    assert complaints == []
    assert fits
    assert min(heights) >= 10
