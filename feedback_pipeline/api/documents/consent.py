"""Opting out, and taking back everything that was given."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from feedback_pipeline.store import Erasure

PENDING, DONE = "pending", "done"


class OptedOut(BaseModel):
    """What an opt-out did."""

    opted_out: Literal[True] = True
    known_before: bool = Field(description="Whether the user had opted out before.")
    withdrawn: int = Field(description="Feedback that is not used any more from now on.")
    examples_taken_out: int = Field(description="Examples that left the live index.")


class OptedIn(BaseModel):
    """What undoing an opt-out did; what was withdrawn stays withdrawn."""

    opted_out: Literal[False] = False
    known_before: bool = Field(description="Whether the user had opted out.")


class ErasureAccepted(BaseModel):
    """An erasure that is under way."""

    erasure_id: str
    state: Literal["pending", "done"]
    consent: Literal["withdrawn", "kept"] = Field(description="withdrawn: the user is opted out as well.")
    examples_taken_out: int = Field(description="Examples that have left the live index already.")
    status_url: str


class SeenBy(BaseModel):
    """A model that has learned from what was erased; what it has learned stays until it is trained again."""

    name: str
    trained_on: str


class ErasureState(BaseModel):
    """How far the caller's latest erasure is, and what it did."""

    erasure_id: str
    state: Literal["pending", "done"]
    consent: Literal["withdrawn", "kept"]
    requested_at: datetime | None
    finished_at: datetime | None
    found_in: list[str] | None = Field(description="Places that held something; null until they have been searched.")
    removed: dict[str, int] | None = Field(description="Records removed from the store, by kind.")
    remains: int | None = Field(description="What a last search found; an erasure is done only when it found nothing.")
    trained_models: list[SeenBy]
    not_reached: list[str] = Field(description="What no erasure of ours reaches.")

    @classmethod
    def of(cls, erasure: Erasure) -> "ErasureState":
        """Return what the user may know of an entry of the journal: no ids of records, no paths."""
        receipt = erasure.receipt or {}
        return cls(
            erasure_id=erasure.erasure_id,
            state=state_of(erasure),
            consent="kept" if erasure.consent == "kept" else "withdrawn",
            requested_at=erasure.requested_at,
            finished_at=erasure.finished_at,
            found_in=sorted(receipt["found"]) if receipt else None,
            removed=_counts(receipt) if receipt else None,
            remains=receipt["verification"]["total"] if receipt else None,
            trained_models=[
                SeenBy(name=model["name"], trained_on=model["trained_on"])
                for model in receipt.get("trained_models", [])
            ],
            not_reached=[item["what"] for item in receipt.get("not_reached", [])],
        )


def state_of(erasure: Erasure) -> Literal["pending", "done"]:
    """Return the state of an erasure in words for users."""
    return DONE if erasure.state == "done" else PENDING


def _counts(receipt: dict[str, Any]) -> dict[str, int]:
    removed = receipt["removed"].get("store", {})
    return {kind: count for kind, count in removed.items() if isinstance(count, int) and not isinstance(count, bool)}
