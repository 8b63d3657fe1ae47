"""What a retrieval answers with."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Example:
    """One verified correction that resembles a question.

    Attributes:
        example_id: identity of (database, question, SQL), 16 hex digits.
        feedback_id: the earliest feedback behind it; ``feedback_ids`` are all.
        natural_query: the question as a user asked it.
        sql: the verified answer.
        generated_sql: what a model once answered wrongly, if that is known.
        score: cosine similarity of the questions, -1 to 1.
        rank: 1 for the most similar.
        source: where the feedback came from.

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

    def as_dict(self) -> dict[str, Any]:
        """Return the example as plain JSON types."""
        return {**asdict(self), "feedback_ids": list(self.feedback_ids)}
