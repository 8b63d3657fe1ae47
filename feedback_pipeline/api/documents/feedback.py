"""Ratings and corrections: one path takes both, told apart by their fields."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from feedback_pipeline.api.documents.json_values import InteractionId, Name, Remark, Sent, Stars, Thumb
from feedback_pipeline.intake.validation import Limits, read_correction
from feedback_pipeline.store import Entry, Submission

SOURCE = "user_feedback"
NEITHER = (
    "is neither a rating (interaction_id and rating) nor a correction (database_id, natural_query and at least one of "
    "generated_sql, corrected_sql, rating, comment)"
)


class Rating(Sent):
    """Thumbs up or down on an answer. A later rating of the same answer replaces an earlier one."""

    interaction_id: InteractionId = Field(
        description="What POST /interactions answered with; 0 stands for an answer that was not stored."
    )
    rating: Thumb = Field(description="1 is thumbs up, -1 thumbs down.")
    reason: Remark | None = Field(default=None, description="Why, in the user's words.")


class Correction(Sent):
    """What is right or wrong about the SQL for a question: at least one of SQL, rating and comment is given."""

    database_id: Name = Field(description="The database that the question is about.")
    natural_query: str = Field(min_length=1, description="The question, as it was asked.")
    generated_sql: str | None = Field(default=None, description="What the model answered.")
    corrected_sql: str | None = Field(default=None, description="What it should have answered.")
    rating: Stars | None = Field(default=None, description="How good the answer was, from 1 to 5.")
    comment: Remark | None = Field(default=None, description="What else there is to say.")
    interaction_id: InteractionId | None = Field(default=None, description="The answer that this corrects.")

    def submission(self, limits: Limits, *, user_id: str | None, client_key: str | None) -> Submission:
        """Return what the store keeps. Raises RowError where a value cannot be kept."""
        item = read_correction(self.model_dump(exclude={"interaction_id"}), SOURCE, limits)
        return replace(item, interaction_id=self.interaction_id, user_id=user_id, client_key=client_key)


def shape_of(body: Any) -> Literal["rating", "correction"] | None:
    """Return which of the two ``body`` is: one that names a database or asks a question is a correction."""
    if not isinstance(body, Mapping):
        return None
    given = {name for name, value in body.items() if value is not None}
    if given & {"database_id", "natural_query"}:
        return "correction"
    return "rating" if given & {"interaction_id", "rating"} else None


Feedback = Annotated[
    Annotated[Rating, Tag("rating")] | Annotated[Correction, Tag("correction")],
    Discriminator(shape_of, custom_error_type="neither_shape", custom_error_message=NEITHER),
]


class FeedbackEntry(BaseModel):
    """A correction as it is stored."""

    feedback_id: str = Field(description="Names it; GET /feedback/{feedback_id} tells what became of it.")
    status: str = Field(description="pending until it is checked and reviewed.")
    database_id: str
    natural_query: str
    generated_sql: str | None
    corrected_sql: str | None
    rating: int | None
    comment: str | None
    interaction_id: int | None
    created_at: datetime

    @classmethod
    def of(cls, item: Submission, entry: Entry) -> "FeedbackEntry":
        """Return what is answered: the content that was sent, and where it stands."""
        return cls(
            feedback_id=entry.feedback_id,
            status=entry.status,
            database_id=item.database_id,
            natural_query=item.natural_query,
            generated_sql=item.generated_sql,
            corrected_sql=item.corrected_sql,
            rating=item.rating,
            comment=item.comment,
            interaction_id=item.interaction_id,
            created_at=entry.created_at,
        )
