"""Answers of a product, with what was retrieved for them."""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from feedback_pipeline.api.documents.feedback import SOURCE
from feedback_pipeline.api.documents.json_values import Name, Rank, Score, Sent, Version
from feedback_pipeline.intake.validation import Limits, read_interaction
from feedback_pipeline.store import Interaction, RetrievedExample

MAX_CHUNKS, MAX_EXAMPLES = 1_000, 100


class RetrievedChunk(Sent):
    """A passage that was retrieved."""

    chunk_id: str | int = Field(description="Your id of the passage.")
    text: str | None = None
    score: Score | None = None
    rank: Rank | None = Field(
        default=None, description="Its place in the result; default: its place in the list, from 1."
    )
    in_scope: bool | None = Field(default=None, description="Whether it belongs to what the question was asked of.")


class ShownExample(Sent):
    """A few-shot example that the model was shown, or that was withheld from it to measure its effect."""

    example_id: Name
    rank: Rank | None = Field(
        default=None, description="Its place in the prompt; default: its place in the list, from 1."
    )
    score: Score | None = None
    index_version: Version | None = None
    withheld: bool = False


class CompletedInteraction(Sent):
    """A question that was answered. Whose question it is, is known from the token, or from On-Behalf-Of."""

    kind: Literal["text2sql", "rag"] | None = Field(
        default=None, description="Default: rag where chunks are given and no database, else text2sql."
    )
    database_id: Name | None = None
    natural_query: str = Field(min_length=1, description="The question, as it was asked.")
    output: str | None = Field(default=None, description="The SQL or the text that was answered.")
    model: str | None = None
    trace_id: str | None = None
    chunks: list[RetrievedChunk] = Field(default=[], max_length=MAX_CHUNKS)
    examples: list[ShownExample] = Field(default=[], max_length=MAX_EXAMPLES)
    retrieval_id: Annotated[UUID, Field(strict=False)] | None = Field(
        default=None, description="What POST /examples/search answered with."
    )

    @model_validator(mode="after")
    def _each_once(self) -> "CompletedInteraction":
        _refuse_repeats("chunks", "rank", _ranks(self.chunks))
        _refuse_repeats("chunks", "chunk_id", (str(chunk.chunk_id).strip() for chunk in self.chunks))
        _refuse_repeats("examples", "rank", _ranks(self.examples))
        return self

    def interaction(self, limits: Limits, *, user_id: str | None, client_key: str | None) -> Interaction:
        """Return what the store keeps. Raises RowError where a value cannot be kept."""
        fields = self.model_dump(exclude={"examples", "retrieval_id"}) | {"kind": self._kind()}
        examples = tuple(
            RetrievedExample(**example.model_dump(exclude={"rank"}), rank=rank)
            for example, rank in zip(self.examples, _ranks(self.examples), strict=True)
        )
        return replace(
            read_interaction(fields, SOURCE, limits),
            user_id=user_id,
            client_key=client_key,
            examples=examples,
            retrieval_id=None if self.retrieval_id is None else str(self.retrieval_id),
        )

    def _kind(self) -> str:
        is_rag = self.chunks and self.database_id is None
        return self.kind or ("rag" if is_rag else "text2sql")


class RecordedInteraction(BaseModel):
    """Where an interaction went."""

    interaction_id: int = Field(description="What a rating or a correction names; 0 where nothing was stored.")
    stored: bool = Field(description="False where the user has opted out: the product goes on all the same.")


def _ranks(items: Iterable[Any]) -> list[int]:
    return [place if item.rank is None else item.rank for place, item in enumerate(items, start=1)]


def _refuse_repeats(field: str, name: str, found: Iterable[Hashable]) -> None:
    if any(count > 1 for count in Counter(found).values()):
        raise ValueError(f"{field} repeat a {name}")
