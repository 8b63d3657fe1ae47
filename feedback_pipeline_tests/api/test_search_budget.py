"""How long the text of an answer may get."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.retrieval.token_estimate import estimated_tokens
from feedback_pipeline_tests.api.conftest import api_settings, bearer
from feedback_pipeline_tests.api.worlds import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three corrections are live."""
    app = create_app(api_settings(tmp_path / "data"))
    with TestClient(app, raise_server_exceptions=False) as client:
        opened = World(app, client)
        opened.publish(*((f"question {number}", [opened.give(f"question {number}")]) for number in range(3)))
        yield opened


def search(world: World, **fields: Any):
    body = {"natural_query": "question 1", "database_id": "shop", "min_score": -1, **fields}
    return world.client.post("/examples/search", json=body, headers=bearer("bob"))


def test_the_prompt_keeps_to_its_budget_and_the_examples_stay(world: World):
    whole, short = search(world).json(), search(world, max_tokens=60).json()

    assert whole["prompt"].count("\n") == 4
    assert short["prompt"].count("\n") == 2
    assert whole["prompt"].startswith(short["prompt"])
    assert estimated_tokens(short["prompt"]) <= 60
    assert short["examples"] == whole["examples"]


def test_a_budget_nothing_fits_into_gives_no_text(world: World):
    answer = search(world, max_tokens=5.0).json()

    assert answer["prompt"] == ""
    assert len(answer["examples"]) == 3


def test_what_is_too_little_alike_is_left_out(world: World):
    answers = [search(world, min_score=least).json()["examples"] for least in (1, -1)]

    assert [len(examples) for examples in answers] == [1, 3]
    assert search(world, min_score=1.5).status_code == 422


@pytest.mark.parametrize("max_tokens", [0, -1, 1.5, "60", True, 10**7])
def test_a_budget_that_is_none_is_refused(world: World, max_tokens: Any):
    response = search(world, max_tokens=max_tokens)

    assert response.status_code == 422
    assert "max_tokens" in response.text
