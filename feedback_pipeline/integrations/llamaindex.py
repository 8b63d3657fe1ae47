"""LlamaIndex: verified corrections as the nodes of a retriever. Needs ``feedback-pipeline[llamaindex]``."""

import asyncio
from typing import Any

from feedback_pipeline.integrations.extras import MissingExtraError
from feedback_pipeline.integrations.finding import FindsExamples, FoundExample
from feedback_pipeline.retrieval.prompt import adapted_sql, instructive_mistake, prompt_line

try:
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ImportError as error:
    raise MissingExtraError("llamaindex", error) from error


class CorrectionRetriever(BaseRetriever):
    """Retrieves verified corrections similar to a question. Thread-safe; ``aretrieve`` does not block the event loop.

    The text of a node is one line of JSON in which nothing a user wrote can pose as an instruction. Its metadata, which
    no model is shown, are ``question``, ``sql``, ``adapted_sql``, ``generated_sql``, ``database_id``, ``feedback_id``,
    ``rank``, ``retrieval_id`` and ``index_version``; its id is that of the example.

    Args:
        finder: a ``Retriever`` or a ``FeedbackClient``.
        database_id: the database questions are about; examples of no other one are ever retrieved.
        k: how many nodes at most.
        min_score: less alike ones are left out; default: the retriever's.

    Example:
        >>> CorrectionRetriever(Retriever.open(), database_id="shop").retrieve("orders from Berlin")

    """

    def __init__(self, finder: FindsExamples, *, database_id: str, k: int = 3, min_score: float | None = None):
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        super().__init__()
        self._finder = finder
        self._wanted: dict[str, Any] = {"database_id": database_id, "k": k, "min_score": min_score}

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._finder.retrieve(query_bundle.query_str, **self._wanted)
        look_up = {
            "database_id": self._wanted["database_id"],
            "retrieval_id": found.retrieval_id,
            "index_version": found.index_version,
        }
        return [NodeWithScore(node=_node(example, look_up), score=example.score) for example in found.examples]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


def _node(example: FoundExample, look_up: dict[str, Any]) -> TextNode:
    metadata = {
        "question": example.natural_query,
        "sql": example.sql,
        "adapted_sql": adapted_sql(example),
        "generated_sql": instructive_mistake(example),
        "feedback_id": example.feedback_id,
        "rank": example.rank,
        **look_up,
    }
    return TextNode(
        id_=example.example_id,
        text=prompt_line(example),
        metadata=metadata,
        excluded_llm_metadata_keys=list(metadata),
        excluded_embed_metadata_keys=list(metadata),
    )
