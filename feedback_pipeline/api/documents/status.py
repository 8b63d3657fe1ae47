"""What became of feedback, as it is told to whoever gave it and to reviewers."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from feedback_pipeline.finetune.membership import DatasetVersion
from feedback_pipeline.store import Status
from feedback_pipeline.store.influence import Use

PIPELINE = "pipeline"
_RULES = "policy:"
"""Begins the names of rules that decide without a person."""


class HistoryEntry(BaseModel):
    """One thing that happened to a feedback."""

    event: str
    at: datetime
    reason: str | None
    actor: str | None = Field(description="Who did it; users are only told where it was the pipeline.")

    @classmethod
    def of(cls, event: dict[str, Any], *, for_reviewer: bool) -> Self:
        """Return what may be told of an event of the store."""
        actor = event["actor"]
        if not for_reviewer:
            by_itself = actor is not None and (actor == PIPELINE or actor.startswith(_RULES))
            actor = PIPELINE if by_itself else None
        return cls(event=event["event"], at=event["at"], reason=event["reason"], actor=actor)


class ChecksSummary(BaseModel):
    """What the automatic checks found."""

    state: Literal["passed", "failed", "not_yet"]
    failed_check: str | None = Field(description="The first check that failed.")
    detail: str | None = Field(description="What it found.")
    results_equal: bool | None = Field(description="Whether both SQL give the same rows; null where nobody can tell.")
    flags: list[str] | None = Field(description="What a reviewer should look at; null for users.")

    @classmethod
    def of(cls, row: dict[str, Any], *, for_reviewer: bool) -> Self:
        """Return the summary of a feedback of the store."""
        evidence = row["checks"] or {}
        failed = evidence.get("failed_check")
        return cls(
            state="not_yet" if row["checks_passed"] is None else "passed" if row["checks_passed"] else "failed",
            failed_check=failed,
            detail=(evidence.get(failed) or {}).get("detail") if failed else None,
            results_equal=evidence.get("results_equal"),
            flags=list(evidence.get("flags", [])) if for_reviewer else None,
        )


class HoldingDataset(BaseModel):
    """A released version of a dataset that holds the feedback."""

    name: str
    version: int


class Applied(BaseModel):
    """Where feedback is of use."""

    index_version: int | None = Field(description="The live version of the index where it holds the feedback.")
    first_applied_at: datetime | None
    datasets: list[HoldingDataset] = Field(description="Released versions that hold it; revoked ones are left out.")
    used_in_queries: int = Field(description="How many questions were given an example that rests on it.")
    last_used_at: datetime | None

    @classmethod
    def of(
        cls,
        history: list[dict[str, Any]],
        use: Use,
        *,
        index_version: int | None,
        datasets: list[DatasetVersion],
    ) -> Self:
        """Return where a feedback with this ``history`` (of the store, oldest first) is of use."""
        return cls(
            index_version=index_version,
            first_applied_at=next((event["at"] for event in history if event["event"] == "applied"), None),
            datasets=[HoldingDataset(name=one.name, version=one.version) for one in datasets],
            used_in_queries=use.queries,
            last_used_at=use.last_used_at,
        )


class FeedbackStatus(BaseModel):
    """A feedback and what became of it."""

    feedback_id: str
    status: Status
    status_reason: str | None
    database_id: str
    natural_query: str
    generated_sql: str | None
    corrected_sql: str | None
    rating: int | None
    comment: str | None
    interaction_id: int | None
    created_at: datetime
    updated_at: datetime
    yours: bool = Field(description="The caller gave it.")
    superseded_by: str | None = Field(
        description="The feedback that took its place: the version of a reviewer, which is the caller's own as well."
    )
    history: list[HistoryEntry] = Field(description="What happened to it, oldest first.")
    checks: ChecksSummary
    applied: Applied


class FeedbackSummary(BaseModel):
    """A feedback in a list."""

    feedback_id: str
    status: Status
    status_reason: str | None
    database_id: str
    natural_query: str
    rating: int | None
    interaction_id: int | None
    created_at: datetime
    updated_at: datetime
    used_in_queries: int


class FeedbackList(BaseModel):
    """A page of feedback, newest first."""

    feedback: list[FeedbackSummary]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")
