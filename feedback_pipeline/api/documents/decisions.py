"""Decisions about feedback, one by one and in bulk, as reviewers' programs send them and what they are answered."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from feedback_pipeline.api.documents.json_values import Name, Sent
from feedback_pipeline.api.documents.review import FeedbackId, Hours, Moment, Reason, ReviewWord, Words, before
from feedback_pipeline.review.bulk import BulkResult, Result
from feedback_pipeline.review.queue import Checks, QueueFilter
from feedback_pipeline.store import Status

MAX_BULK = 10_000


class Order(Sent):
    """What goes with any decision."""

    reason: Reason | None = Field(default=None, description="Why; kept in the history, and told to whoever gave it.")
    expected_status: Status | None = Field(
        default=None, description="The status you saw: 409 where it has moved on since.", strict=False
    )


class Verification(Order):
    """What goes with a verification."""

    override: bool = Field(default=False, description="Verify although a check fails; needs a reason.")

    @model_validator(mode="after")
    def _with_reason(self) -> Self:
        if self.override and not (self.reason or "").strip():
            raise ValueError("override needs a reason: say why the failed check does not count")
        return self


class Rejection(Order):
    """What goes with a rejection."""

    reason: Reason = Field(min_length=1, description="Why; kept in the history, and told to whoever gave it.")  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]

    @model_validator(mode="after")
    def _not_blank(self) -> Self:
        if not (self.reason or "").strip():
            raise ValueError("reason is blank: say why it is wrong")
        return self


class Keeping(Sent):
    """What goes with keeping what is proposed for retirement."""

    reason: Reason | None = Field(default=None, description="Why; kept with the proposal.")


class Edit(Sent):
    """A better version of a feedback."""

    corrected_sql: str = Field(min_length=1, description="What the answer should be.")
    natural_query: str | None = Field(default=None, min_length=1, description="The question, if it is to change.")
    reason: Reason | None = Field(default=None, description="Why; kept in the history.")
    override: bool = Field(default=False, description="Verify although a check fails; needs a reason.")
    expected_status: Status | None = Field(
        default=None, description="The status you saw: 409 where it has moved on since.", strict=False
    )

    @model_validator(mode="after")
    def _with_reason(self) -> Self:
        if self.override and not (self.reason or "").strip():
            raise ValueError("override needs a reason: say why the failed check does not count")
        return self


class Decided(BaseModel):
    """What became of a feedback.

    `noted`: the word is kept, and more reviewers have to agree; `unchanged`: it was so before.
    """

    feedback_id: str
    status: Status
    outcome: Literal["done", "noted", "unchanged"]
    detail: str | None
    reviews: list[ReviewWord] = Field(description="The words of reviewers that count.")


class EditDecided(Decided):
    """What became of an edit: `feedback_id` is the new feedback, which takes the place of `original_id`."""

    original_id: str


class ApplyState(BaseModel):
    """Whether a feedback is in the live index; `requested`: a run that puts it there has been asked for."""

    feedback_id: str
    state: Literal["requested", "applied"]
    index_version: int | None


class BulkFilter(Sent):
    """Which feedback that waits is to be verified. Unknown fields are refused: they would choose too much."""

    model_config = ConfigDict(extra="forbid")

    database_id: Name | None = None
    checks: Checks | None = None
    conflict: bool | None = None
    submitted_after: Moment | None = Field(default=None, strict=False)
    submitted_before: Moment | None = Field(default=None, strict=False)
    older_than_hours: Hours | None = None
    text: Words | None = Field(default=None, description="Words of the question.")

    def wanted(self, databases: frozenset[str] | None) -> QueueFilter:
        """Return the filter, limited to what the caller may see."""
        return QueueFilter(
            databases=databases,
            database_id=self.database_id,
            checks=self.checks,
            conflict=self.conflict,
            submitted_after=self.submitted_after,
            submitted_before=before(self.submitted_before, self.older_than_hours),
            text=self.text,
        )


class BulkOrder(Sent):
    """What is to be verified at once: either `feedback_ids` or a `filter`."""

    feedback_ids: Annotated[list[FeedbackId], Field(min_length=1, max_length=MAX_BULK)] | None = None
    filter: BulkFilter | None = None
    reason: Reason | None = Field(default=None, description="Why; kept in the history of each.")
    dry_run: bool = Field(default=False, description="Decide nothing, say what would be.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.feedback_ids is None) == (self.filter is None):
            raise ValueError("give either feedback_ids or filter")
        return self


class BulkEntry(BaseModel):
    """What became of one feedback.

    `conflict`: other answers contradict it; `failed`: its checks fail, or there is no such feedback; `skipped`: it
    does not wait any more, or waits for a person to look at it.
    """

    feedback_id: str
    result: Result
    reason: str | None

    @classmethod
    def of(cls, result: BulkResult) -> Self:
        """Return the document of a result."""
        return cls(feedback_id=result.feedback_id, result=result.result, reason=result.reason)


class BulkAnswer(BaseModel):
    """What became of each."""

    dry_run: bool
    results: list[BulkEntry]
    counts: dict[Result, int]
