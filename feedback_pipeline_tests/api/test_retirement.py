"""Proposed for retirement: over HTTP and on the pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.insight.retirement import says_more
from feedback_pipeline.store import get_feedback
from feedback_pipeline.store.retirements import renew
from feedback_pipeline_tests.api.conftest import api_settings, bearer
from feedback_pipeline_tests.api.pages.conftest import text_of
from feedback_pipeline_tests.api.worlds import World
from feedback_pipeline_tests.example_index.samples import example_id
from feedback_pipeline_tests.review.test_retirement import evidence

RAE = bearer("rae", "reviewer")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    app = create_app(api_settings(tmp_path / "data"))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(app, client)


@pytest.fixture
def harmful(world: World) -> str:
    """A live correction whose example makes answers worse."""
    feedback_id = world.live("question 1")
    renew(world.store, {example_id("shop", "question 1"): evidence()}, is_new=says_more)
    return feedback_id


def queue(world: World, **query: Any) -> dict:
    answer = world.client.get("/review-queue", headers=RAE, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def signed_in(world: World) -> TestClient:
    world.client.cookies.set("feedback_session", RAE["Authorization"].split()[1])
    return world.client


def test_the_queue_says_how_much_is_proposed_and_lists_it_with_its_evidence(world: World, harmful: str) -> None:
    waiting = world.give("question 2")

    assert queue(world)["counts"]["for_retirement"] == 1
    assert [item["feedback_id"] for item in queue(world)["items"]] == [waiting]
    [item] = queue(world, retirement=True)["items"]
    assert (item["feedback_id"], item["status"]) == (harmful, "applied")
    [proposal] = item["retirements"]
    assert proposal["example_id"] == example_id("shop", "question 1")
    assert (proposal["lift"], proposal["high"], proposal["judged_without"]) == (-0.9, -0.5, 20)
    assert queue(world, retirement=True, status="pending")["items"] == []


def test_keeping_ends_the_proposal_and_can_be_done_once(world: World, harmful: str) -> None:
    first = world.client.post(f"/feedback/{harmful}/keep", headers=RAE, json={"reason": "it is right"})
    second = world.client.post(f"/feedback/{harmful}/keep", headers=RAE)

    assert (first.status_code, first.json()["status"], first.json()["outcome"]) == (200, "applied", "done")
    assert (second.status_code, second.json()["code"]) == (409, "not_proposed")
    assert queue(world)["counts"]["for_retirement"] == 0
    assert world.client.post("/feedback/f0/keep", headers=RAE).status_code == 404


def test_rejecting_retires_it_at_once_for_searches(world: World, harmful: str) -> None:
    body = {"natural_query": "question 1", "database_id": "shop"}
    assert world.client.post("/examples/search", headers=bearer("bob"), json=body).json()["examples"]

    rejected = world.client.post(f"/feedback/{harmful}/reject", headers=RAE, json={"reason": "it misleads"})

    assert rejected.status_code == 200
    assert world.client.post("/examples/search", headers=bearer("bob"), json=body).json()["examples"] == []
    assert queue(world)["counts"]["for_retirement"] == 0


def test_the_queue_page_has_a_filter_for_it_and_a_badge(world: World, harmful: str) -> None:
    client = signed_in(world)

    page = client.get("/review")
    listed = client.get("/review?status=applied&retirement=yes")

    assert "Proposed for retirement 1" in text_of(page)
    assert "/review?status=applied&amp;retirement=yes" in page.text
    assert '<li class="tag bad">proposed for retirement</li>' in listed.text
    assert "question 1" in text_of(listed)


def test_a_queue_without_proposals_does_not_speak_of_them(world: World) -> None:
    world.live("question 1")

    assert "retirement" not in text_of(signed_in(world).get("/review"))


def test_the_item_shows_the_evidence_and_can_be_kept(world: World, harmful: str) -> None:
    client = signed_in(world)
    page = client.get(f"/review/items/{harmful}")
    [csrf] = {part.split('"')[0] for part in page.text.split('name="csrf" value="')[1:]}

    shown = text_of(page)
    assert "were given it 200 20 10%" in shown
    assert "went without it 20 20 100%" in shown
    assert "Lift -90.0 points; with 99% certainty between -95.0 and -50.0." in shown
    kept = client.post(f"/review/items/{harmful}/keep", data={"csrf": csrf, "reason": "it is right"})

    assert "Kept: it is not proposed for retirement again" in text_of(kept)
    assert "Why it is kept" not in kept.text
    assert get_feedback(world.store, harmful)["status"] == "applied"
