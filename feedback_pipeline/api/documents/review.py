"""The queue and its items, as reviewers' programs see them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field

from feedback_pipeline.intake import values
from feedback_pipeline.review.conflicts import Rival
from feedback_pipeline.review.item import ReviewItem
from feedback_pipeline.review.queue import Checks, QueueCounts, QueueItem
from feedback_pipeline.store import Status
from feedback_pipeline.store.reservations import Reservation
from feedback_pipeline.store.retirements import Proposal
from feedback_pipeline.store.reviews import Review

MAX_HOURS = 24 * 365 * 100
MAX_REASON_CHARS = 2_000
MAX_WORDS_CHARS = 200


def _in_utc(value: datetime) -> datetime:
    """Return a moment in UTC; one without zone is UTC. Raises ValueError."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


Moment = Annotated[datetime, AfterValidator(_in_utc)]
Hours = Annotated[float, Field(ge=0, le=MAX_HOURS, allow_inf_nan=False)]
Words = Annotated[str, Field(max_length=MAX_WORDS_CHARS), AfterValidator(values.text)]
Reason = Annotated[str, Field(max_length=MAX_REASON_CHARS), AfterValidator(values.text)]
FeedbackId = Annotated[str, Field(min_length=1, max_length=36, pattern="^[0-9A-Za-z-]+$")]


def before(moment: datetime | None, older_than_hours: float | None) -> datetime | None:
    """Return the earlier of a moment and that many hours ago; None where neither is given."""
    if older_than_hours is None:
        return moment
    ago = datetime.now(UTC) - timedelta(hours=older_than_hours)
    return ago if moment is None else min(moment, ago)


class ReviewWord(BaseModel):
    """What one reviewer said."""

    reviewer: str
    verdict: Literal["verified", "rejected"]
    reason: str | None
    at: datetime

    @classmethod
    def all_of(cls, reviews: tuple[Review, ...]) -> list[Self]:
        """Return the words in their order."""
        return [cls.model_validate(review, from_attributes=True) for review in reviews]


class Retirement(BaseModel):
    """Why an example is to be retired: how answers were judged with it and, where chance withheld it, without it."""

    example_id: str
    proposed_at: datetime
    judged_with: int
    good_with: int
    judged_without: int
    good_without: int
    lift: float = Field(description="Share of good answers with it, less that without it.")
    low: float
    high: float = Field(description="The true lift lies between low and high with the probability `certainty`.")
    certainty: float

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """Return the document of a proposal."""
        return cls(example_id=proposal.example_id, proposed_at=proposal.proposed_at, **proposal.evidence)


class QueueEntry(BaseModel):
    """One feedback in the queue. `times_asked` and `similar_waiting` explain `expected_value`."""

    feedback_id: str
    status: Status
    database_id: str
    natural_query: str
    generated_sql: str | None
    corrected_sql: str | None
    rating: int | None
    comment: str | None
    source: str
    created_at: datetime
    checks_passed: bool | None = Field(description="null where it has not been checked yet.")
    failed_check: str | None
    flags: list[str] = Field(description="What a person should look at.")
    results_equal: bool | None = Field(description="Whether both SQL give the same rows; null where nobody can tell.")
    in_conflict: bool = Field(description="Other answers to the same question contradict it.")
    times_asked: int = Field(description="How often such questions were asked lately, this time not counted.")
    similar_waiting: int = Field(description="How many others wait about such questions.")
    expected_value: float = Field(
        description="(1 + times_asked + similar_waiting) x the chance that it is verified, divided by 1 + how many say "
        "the same (question and SQL) and are in use or have waited longer."
    )
    reserved_by: str | None
    reserved_until: datetime | None
    reviews: list[ReviewWord] = Field(description="The words of reviewers that count.")
    retirements: list[Retirement] = Field(description="Proposals to retire an example that rests on it.")

    @classmethod
    def of(cls, item: QueueItem) -> Self:
        """Return the document of an item."""
        fields = {name: getattr(item, name) for name in cls.model_fields.keys() - {"reviews", "retirements"}}
        proposed = [Retirement.of(proposal) for proposal in item.retirements]
        return cls(**fields, reviews=ReviewWord.all_of(item.verdicts), retirements=proposed)


class Counts(BaseModel):
    """How much matches the filter; each facet leaves its own part of the filter aside."""

    total: int
    by_database: dict[str, int]
    by_checks: dict[Checks, int]
    in_conflict: int
    for_retirement: int = Field(description="Applied and proposed for retirement, whatever else is asked for.")

    @classmethod
    def of(cls, counts: QueueCounts) -> Self:
        """Return the document of counts."""
        return cls.model_validate(counts, from_attributes=True)


class Queue(BaseModel):
    """A page of the queue."""

    items: list[QueueEntry]
    counts: Counts
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


class RivalAnswer(BaseModel):
    """One of the answers to a question, with everybody who gives it."""

    sql: str | None
    feedback_ids: list[str]
    statuses: dict[str, Status]
    users: int
    flags: list[str]
    result_digest: str | None
    execution: dict[str, Any]

    @classmethod
    def of(cls, rival: Rival) -> Self:
        """Return the document of a rival."""
        return cls.model_validate(rival, from_attributes=True)


class Event(BaseModel):
    """One thing that happened to a feedback."""

    event: str
    actor: str | None
    reason: str | None
    payload: dict[str, Any] | None
    at: datetime


class Reserved(BaseModel):
    """Who has a feedback for themselves, and until when."""

    feedback_id: str
    reviewer: str
    until: datetime

    @classmethod
    def of(cls, reservation: Reservation) -> Self:
        """Return the document of a reservation."""
        return cls.model_validate(reservation, from_attributes=True)


class Item(BaseModel):
    """One feedback whole: what a reviewer needs before deciding it."""

    item: QueueEntry
    status_reason: str | None
    interaction_id: int | None
    checks: dict[str, Any] | None = Field(description="The evidence of the automatic checks.")
    history: list[Event] = Field(description="What happened to it, oldest first.")
    rivals: list[RivalAnswer] = Field(description="All answers to its question, where they contradict each other.")
    reservation: Reserved | None
    reviewers_needed: int = Field(description="Distinct reviewers who have to agree.")

    @classmethod
    def of(cls, whole: ReviewItem) -> Self:
        """Return the document of an item."""
        row = whole.feedback
        return cls(
            item=QueueEntry.of(whole.queue),
            status_reason=row["status_reason"],
            interaction_id=row["interaction_id"],
            checks=row["checks"],
            history=[Event(**{name: event[name] for name in Event.model_fields}) for event in row["history"]],
            rivals=[RivalAnswer.of(rival) for rival in whole.rivals],
            reservation=None if whole.reservation is None else Reserved.of(whole.reservation),
            reviewers_needed=whole.needed,
        )
