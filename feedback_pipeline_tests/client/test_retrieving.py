"""Clients as agents use them: what cannot be asked gives nothing, and never an exception."""

import json
import logging

import httpx
import pytest

from feedback_pipeline.client import FeedbackClient
from feedback_pipeline_tests.client.conftest import Connect
from feedback_pipeline_tests.client.servers import Unreliable

QUESTION = "How many orders went to Berlin?"


def test_an_agent_gets_what_a_search_gives(connect: Connect, url: str):
    found = connect(url).retrieve(QUESTION, database_id="shop", k=2)

    assert (found.examples, found.index_version) == ((), None)
    assert found.retrieval_id


def test_a_server_that_is_away_gives_nothing_and_a_warning(
    connect: Connect, url: str, unreliable: Unreliable, caplog: pytest.LogCaptureFixture
):
    unreliable.faults.extend(["busy", "busy"])

    found = connect(url, retries=1).retrieve(QUESTION, database_id="shop")

    assert (found.examples, found.prompt, found.retrieval_id) == ((), "", None)
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "no examples can be retrieved: The store is away." in warning.getMessage()
    assert QUESTION not in caplog.text


def test_an_address_nobody_listens_on_gives_nothing(connect: Connect):
    found = connect("http://127.0.0.1:9", retries=0).retrieve(QUESTION, database_id="shop")

    assert found.examples == ()


def test_a_token_that_is_not_accepted_gives_nothing_and_says_so(
    connect: Connect, url: str, caplog: pytest.LogCaptureFixture
):
    found = connect(url, "no.such.token").retrieve(QUESTION, database_id="shop")

    assert found.examples == ()
    assert "token" in caplog.text
    assert "no.such.token" not in caplog.text


def test_a_budget_is_sent_only_where_there_is_one():
    sent: list[dict] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        example = {
            "example_id": "e",
            "natural_query": "q",
            "sql": "SELECT 1",
            "rank": 1,
            "score": 1,
            "adapted_sql": "S",
        }
        return httpx.Response(200, json={"examples": [example], "prompt": "", "retrieval_id": "r"})

    with FeedbackClient("http://feedback", "t", transport=httpx.MockTransport(answer)) as client:
        client.search("q", "shop", max_tokens=500)
        found = client.search("q", "shop")

    assert [body.get("max_tokens") for body in sent] == [500, None]
    assert "max_tokens" not in sent[1]
    assert found.examples[0].adapted_sql == "S"
