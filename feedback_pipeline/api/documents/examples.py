"""Questions that examples are looked up for, and what they are answered with."""

from typing import Annotated

from pydantic import BaseModel, Field

from feedback_pipeline.api.documents.json_values import JSON_NUMBER, InteractionId, Name, Sent

MAX_EXAMPLES = 20


class Search(Sent):
    """A question that is about to be answered."""

    natural_query: str = Field(min_length=1, description="The question, as the user asked it.")
    database_id: Name = Field(description="The database that the question is about.")
    k: Annotated[int, Field(ge=1, le=MAX_EXAMPLES), JSON_NUMBER] = Field(
        default=3, description="How many examples at most."
    )
    min_score: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Less alike examples are left out. The default gives nothing for most unrelated questions; -1 "
        "leaves nothing out.",
    )
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000), JSON_NUMBER] | None = Field(
        default=None,
        description="How long `prompt` may get, in tokens, by an estimate that is rather too high. Examples that do "
        "not fit are left out of it, never cut.",
    )
    interaction_id: InteractionId | None = Field(
        default=None,
        description="The interaction this is for, where it is recorded already. Usually it is recorded afterwards, and "
        "then names the `retrieval_id` of this answer.",
    )


class FoundExample(BaseModel):
    """A verified answer to a similar question."""

    example_id: str = Field(description="Identity of database, question and SQL.")
    feedback_id: str = Field(description="The earliest feedback behind it.")
    feedback_ids: list[str] = Field(description="All feedback behind it.")
    database_id: str
    natural_query: str
    sql: str = Field(description="The verified answer.")
    adapted_sql: str | None = Field(
        description="The answer with the values of the question that was asked; null where any of them is in doubt."
    )
    generated_sql: str | None = Field(description="What a model once answered wrongly, where that is known.")
    score: float = Field(description="How alike the questions are, in their words or in their shape; at most 1.")
    rank: int = Field(description="1 for the most similar; a number is missing where an example was withheld.")
    source: str
    yours: bool = Field(description="Some of the feedback behind it is the caller's own.")


class LearnedFrom(BaseModel):
    """A correction that an example of this answer was learned from."""

    feedback_id: str
    example_id: str
    rank: int = Field(description="Of the example.")
    yours: bool = Field(description="It is the caller's own: “learned from your correction”.")


class SearchAnswer(BaseModel):
    """Examples for a prompt, and whom they were learned from."""

    examples: list[FoundExample] = Field(description="Most similar first; empty where nothing is known.")
    prompt: str = Field(description="The examples as text for the prompt; empty where there are none.")
    index_version: int | None = Field(description="The publication of the index that answered; null before the first.")
    retrieval_id: str = Field(description="Names this look-up: send it with POST /interactions.")
    learned_from_correction: list[LearnedFrom] = Field(
        description="The corrections behind the examples, best example first. Feedback that only approved generated "
        "SQL, or changed nothing of what it finds, is none. Empty too while the store cannot be asked."
    )
