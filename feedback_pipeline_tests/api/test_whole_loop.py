"""The whole loop in a browser: a user corrects, a reviewer verifies, the pipeline runs, and it is learned."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import Browser, Page, expect

from feedback_pipeline.api import create_app
from feedback_pipeline.client import FeedbackClient, FeedbackStatus
from feedback_pipeline.defs.sensors import verified_feedback_sensor
from feedback_pipeline.review.triage import triage
from feedback_pipeline.store import register_database
from feedback_pipeline_tests.api.conftest import api_settings, token
from feedback_pipeline_tests.api.widget_pages import Site, chromium
from feedback_pipeline_tests.client.servers import serving
from feedback_pipeline_tests.defs.pipeline import Pipeline

expect.set_options(timeout=10_000)

QUESTION = "How many customers live in Berlin?"
WRONG, RIGHT = "SELECT COUNT(*) FROM customers", "SELECT COUNT(*) FROM customers WHERE city = 'Berlin'"


@dataclass
class Product:
    """A site whose answers carry the widget, and its backend, which speaks for the user ann."""

    site: Site
    url: str
    api: str
    backend: FeedbackClient

    def answers(self, browser: Browser, interaction_id: int, sql: str, learned: list[dict[str, Any]]) -> Page:
        """Show an answer to the user."""
        about = f'data-interaction-id="{interaction_id}" data-database-id="town" data-natural-query="{QUESTION}"'
        badge = f"<p data-learned-from='{json.dumps(learned)}'></p>"
        script = f'<script src="{self.api}/widget.js" data-token="{token("ann")}" defer></script>'
        body = f'<main><article {about} data-generated-sql="{sql}">An answer.</article>{badge}</main>'
        path = f"/{interaction_id}"
        self.site.pages[path] = f'<!doctype html><html lang="en"><title>t</title>{script}{body}'
        page = browser.new_context().new_page()
        page.goto(self.url + path)
        return page


@pytest.fixture
def product(pipeline: Pipeline) -> Iterator[Product]:
    database = pipeline.root / "town.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE customers (name TEXT, city TEXT)")
        connection.executemany("INSERT INTO customers VALUES (?, ?)", [("Ada", "Berlin"), ("Bo", "Oslo")])
    connection.close()
    register_database(pipeline.store, "town", "sqlite", url=f"sqlite:///{database}")
    site = Site()
    with ExitStack() as stack:
        url = stack.enter_context(serving(site))
        api = stack.enter_context(serving(create_app(api_settings(pipeline.root, api_origins=url))))
        backend = FeedbackClient(api, token("agent", acts_for_users=True))
        yield Product(site, url, api, stack.enter_context(backend).for_user("ann"))


def sign_in(browser: Browser, api: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{api}/review")
    page.get_by_label("Access token").fill(token("rita", "reviewer"))
    page.get_by_role("button", name="Sign in").click()
    return page


def run_what_the_sensor_asks_for(pipeline: Pipeline) -> None:
    answer = verified_feedback_sensor(dg.build_sensor_context(), feedback=pipeline.feedback)
    assert isinstance(answer, dg.SensorResult), answer
    assert answer.run_requests, answer.skip_reason
    pipeline.run("promote_verified")


def status_once_used(backend: FeedbackClient, feedback_id: str) -> FeedbackStatus:
    """Ask until a use is counted, which is noted behind the answer."""
    deadline = time.monotonic() + 10
    while not (told := backend.status(feedback_id)).used_in_queries and time.monotonic() < deadline:
        time.sleep(0.1)
    return told


def test_a_correction_comes_back_to_whoever_gave_it(product: Product, pipeline: Pipeline):
    backend = product.backend
    with chromium() as browser:
        before = backend.search(QUESTION, "town")
        first = backend.record_interaction(QUESTION, database_id="town", output=WRONG, retrieval_id=before.retrieval_id)
        page = product.answers(browser, first, WRONG, learned=[])
        page.get_by_role("button", name="Bad answer").click()
        page.get_by_role("button", name="Correct it").click()
        page.get_by_label("The right SQL").fill(RIGHT)
        page.get_by_role("button", name="Send correction").click()
        expect(page.get_by_text("Waiting for review.")).to_be_visible()

        triage(pipeline.store, pipeline.settings)
        review = sign_in(browser, product.api)
        review.get_by_role("row", name=QUESTION).get_by_role("button", name="Review").click()
        expect(review.get_by_text("The results differ.")).to_be_visible()
        review.get_by_role("button", name="Verify", exact=True).click()
        expect(review.locator("main")).to_contain_text("verified")

        run_what_the_sensor_asks_for(pipeline)
        after = backend.search(QUESTION, "town")
        second = backend.record_interaction(QUESTION, database_id="town", output=RIGHT, retrieval_id=after.retrieval_id)
        learned = [
            {"feedback_id": one.feedback_id, "yours": one.yours, "rank": one.rank, "example_id": one.example_id}
            for one in after.learned_from_correction
        ]
        page = product.answers(browser, second, RIGHT, learned)
        expect(page.get_by_text("Learned from your correction")).to_be_visible()

    assert (before.examples, before.learned_from_correction) == ((), ())
    assert [(example.sql, example.yours) for example in after.examples] == [(RIGHT, True)]
    assert RIGHT in after.prompt
    [entry] = backend.mine()
    told = status_once_used(backend, entry.feedback_id)
    assert (entry.status, told.status, told.used_in_queries) == ("applied", "applied", 1)
