"""What a retrieval answers with."""

from dataclasses import asdict, dataclass, field
from typing import Any

from feedback_pipeline.masking.adapting import Substitution


@dataclass(frozen=True)
class Example:
    """One verified correction that resembles a question.

    Attributes:
        example_id: identity of (database, question, SQL), 16 hex digits.
        feedback_id: the earliest feedback behind it; ``feedback_ids`` are all.
        natural_query: the question as a user asked it.
        sql: the verified answer.
        generated_sql: what a model once answered wrongly, if that is known.
        score: how alike the questions are, in their words or in their shape, whichever is more; at most 1.
        rank: 1 for the most similar.
        source: where the feedback came from.
        masked_query: the question with its values masked, ``biggest city in [state name]``.
        adapted_sql: the answer with the values of the question that was asked; None where any of them is in doubt.
        substitutions: what ``adapted_sql`` changes; nothing where both questions name the same values.

    """

    example_id: str
    feedback_id: str
    feedback_ids: tuple[str, ...]
    database_id: str
    natural_query: str
    sql: str
    generated_sql: str | None
    score: float
    rank: int
    source: str
    masked_query: str | None = None
    adapted_sql: str | None = None
    substitutions: tuple[Substitution, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the example as plain JSON types."""
        lists = {"feedback_ids": list(self.feedback_ids), "substitutions": [asdict(one) for one in self.substitutions]}
        return {**asdict(self), **lists}


@dataclass(frozen=True)
class RetrievalResult:
    """The examples of one look-up, best first.

    Attributes:
        examples: what the question is given; the rank of a withheld one is missing.
        withheld: what it goes without, so that the effect can be measured: one example or none.
        retrieval_id: under which the look-up was recorded; None where nothing records.
        index_version: the publication that answered; None where there is none.
    """

    examples: list[Example]
    withheld: list[Example] = field(default_factory=list)
    retrieval_id: str | None = None
    index_version: int | None = None
