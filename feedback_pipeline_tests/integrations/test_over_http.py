"""The adapters over the HTTP client: the same as over a local index, recorded by the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from feedback_pipeline.api import create_app
from feedback_pipeline.client import FeedbackClient
from feedback_pipeline.integrations.langchain import CorrectionSelector
from feedback_pipeline.integrations.llamaindex import CorrectionRetriever
from feedback_pipeline.integrations.mcp import correction_server
from feedback_pipeline.store.influence import uses_of
from feedback_pipeline_tests.api.conftest import api_settings, token
from feedback_pipeline_tests.api.worlds import World
from feedback_pipeline_tests.client.servers import serving
from feedback_pipeline_tests.integrations.test_mcp import ask, sql_of

QUESTION = "question 1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    app = create_app(api_settings(tmp_path / "data"))
    with TestClient(app) as client:
        yield World(app, client)


@pytest.fixture
def client(world: World) -> Iterator[FeedbackClient]:
    with serving(world.app) as url, FeedbackClient(url, token("agent"), retries=0) as opened:
        yield opened


def test_all_find_the_same_and_the_server_counts_it(world: World, client: FeedbackClient):
    feedback_id = world.live(QUESTION)

    [selected] = CorrectionSelector(client, database_id="shop").select_examples({"question": QUESTION})
    [node] = CorrectionRetriever(client, database_id="shop").retrieve(QUESTION)
    [result] = ask(correction_server(client), {"question": QUESTION, "database_id": "shop"})

    assert [selected["sql"], node.metadata["sql"], *sql_of(result)] == ["SELECT 'question 1'"] * 3
    assert selected["feedback_id"] == node.metadata["feedback_id"] == feedback_id
    assert world.services.influence.flush()
    assert uses_of(world.store, [feedback_id])[feedback_id].queries == 3


def test_a_server_that_is_away_gives_no_examples():
    with FeedbackClient("http://127.0.0.1:9", token("agent"), retries=0) as away:
        [result] = ask(correction_server(away), {"question": QUESTION, "database_id": "shop"})

        assert CorrectionSelector(away, database_id="shop").select_examples({"question": QUESTION}) == []
        assert CorrectionRetriever(away, database_id="shop").retrieve(QUESTION) == []
        assert sql_of(result) == []
        assert result.structured_content["retrieval_id"] is None
