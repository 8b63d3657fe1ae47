"""Verified corrections as nodes of LlamaIndex."""

import asyncio
import json

import pytest
from llama_index.core.schema import MetadataMode, QueryBundle
from sqlalchemy import select

from feedback_pipeline.integrations.llamaindex import CorrectionRetriever
from feedback_pipeline.retrieval import InfluenceRecorder, Retriever
from feedback_pipeline.store import Store
from feedback_pipeline.store.models import RetrievalRow
from feedback_pipeline_tests.integrations.conftest import SHIPS, TEA, WRONG

QUESTION = "how many ships"


def test_nodes_come_best_first_with_their_scores(root: str):
    nodes = CorrectionRetriever(Retriever(root), database_id="shop", k=2).retrieve(QUESTION)

    assert [node.metadata["sql"] for node in nodes] == [SHIPS[2], TEA[2]]
    assert nodes[0].get_score() > nodes[1].get_score()
    assert [node.metadata["rank"] for node in nodes] == [1, 2]


def test_nodes_name_the_retrieval_that_was_recorded(root: str, sqlite_store: Store):
    with InfluenceRecorder(lambda: sqlite_store) as influence:
        nodes = CorrectionRetriever(Retriever(root, influence=influence), database_id="shop", k=2).retrieve(QUESTION)

    with sqlite_store.read() as session:
        rows = session.execute(select(RetrievalRow.retrieval_id, RetrievalRow.index_version, RetrievalRow.shown))
        [recorded] = [tuple(row) for row in rows]
    assert recorded[1:] == (1, 2)
    assert {(node.metadata["retrieval_id"], node.metadata["index_version"], 2) for node in nodes} == {recorded}


def test_a_model_is_shown_one_line_of_json_and_no_metadata(root: str):
    [node] = CorrectionRetriever(Retriever(root), database_id="shop", k=1).retrieve(QueryBundle(QUESTION))

    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        assert json.loads(node.node.get_content(mode)) == {
            "question": SHIPS[1],
            "sql": SHIPS[2],
            "once_answered_wrongly": WRONG[SHIPS[2]],
        }


def test_retrieving_can_be_awaited_while_other_tasks_go_on(root: str):
    retriever = CorrectionRetriever(Retriever(root), database_id="shop", k=1)

    async def many() -> list[str]:
        found = await asyncio.gather(*(retriever.aretrieve(QUESTION) for _ in range(20)))
        return [node.metadata["sql"] for nodes in found for node in nodes]

    assert asyncio.run(many()) == [SHIPS[2]] * 20


def test_a_retriever_never_reads_another_database(root: str):
    nodes = CorrectionRetriever(Retriever(root), database_id="bank", k=100).retrieve(QUESTION)

    assert [node.metadata["database_id"] for node in nodes] == ["bank"]


def test_a_broken_index_gives_no_nodes(broken_root: str):
    retriever = CorrectionRetriever(Retriever(broken_root), database_id="shop")

    assert retriever.retrieve(QUESTION) == []
    assert asyncio.run(retriever.aretrieve(QUESTION)) == []


def test_fewer_than_one_node_is_refused_at_once(root: str):
    with pytest.raises(ValueError, match="k must be at least 1"):
        CorrectionRetriever(Retriever(root), database_id="shop", k=0)
