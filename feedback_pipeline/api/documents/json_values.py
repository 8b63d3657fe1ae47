"""Values as JSON means them: a number is no text, ``true`` is no number, and 1.0 is the number 1."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from feedback_pipeline.intake import values
from feedback_pipeline.intake.validation import MAX_RANK

MAX_ID = 2**63 - 1
"""Largest number both kinds of database keep."""
MAX_REMARK_CHARS = 4_000
"""What a user says in their own words, besides a question and SQL, through the interface."""


class Sent(BaseModel):
    """What a caller sends. Unknown fields are ignored: existing clients send more than we keep."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


def whole(value: Any) -> int:
    """Return a number of JSON without fraction as ``int``. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or (value != value // 1):
        raise ValueError("is not a whole number")
    return int(value)


def _name(value: str) -> str:
    found = values.name(value)
    if found is None:
        raise ValueError("is blank")
    return found


JSON_NUMBER = BeforeValidator(whole)
"""JSON has one kind of number, so 1.0 is a whole number; ``"1"`` and ``true`` are none.

It stands last: what stands behind it is not shown in the OpenAPI document.
"""

InteractionId = Annotated[int, Field(ge=0, le=MAX_ID), JSON_NUMBER]
"""0 is what products are told of answers that were not stored; no interaction has it."""

Stars = Annotated[int, Field(ge=1, le=5), JSON_NUMBER]
Thumb = Annotated[Literal[1, -1], JSON_NUMBER]
Rank = Annotated[int, Field(ge=0, le=MAX_RANK), JSON_NUMBER]
Version = Annotated[int, Field(ge=0, le=MAX_ID), JSON_NUMBER]
Score = Annotated[float, Field(allow_inf_nan=False)]

Text = Annotated[str, AfterValidator(values.text)]
"""A text that the store can keep; a blank one is none."""

Remark = Annotated[str, Field(max_length=MAX_REMARK_CHARS), AfterValidator(values.text)]
"""A user's own words; blank ones are none."""

Name = Annotated[str, Field(min_length=1, max_length=values.MAX_NAME_CHARS), AfterValidator(_name)]
"""A short text that identifies something, without surrounding blanks."""
