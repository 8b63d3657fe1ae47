"""What a row has to be before the store sees it; every refusal names the field and the reason."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, model_validator

from feedback_pipeline.intake import values
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Chunk, Interaction, Submission

SAYS_SOMETHING = ("generated_sql", "corrected_sql", "rating", "comment")
MAX_RANK = 1_000_000
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Limits:
    """What the validation depends on besides the row."""

    max_question_chars: int
    max_sql_chars: int
    now: datetime

    @classmethod
    def of(cls, settings: Settings, now: datetime | None = None) -> "Limits":
        """Return the limits of a deployment at the moment ``now``, by default the present one."""
        return cls(settings.max_question_chars, settings.max_sql_chars, now or datetime.now(UTC))


class RowError(ValueError):
    """A row is refused. ``field`` is the first field that is wrong, ``reason`` says what is."""

    def __init__(self, field: str | None, reason: str):
        self.field, self.reason = field, reason
        super().__init__(f"{field} {reason}" if field else reason)


def _with_limits(check: Callable[[Any, Limits], Any]) -> BeforeValidator:
    def validate(value: Any, info: ValidationInfo) -> Any:
        assert isinstance(info.context, Limits), "validate rows with their limits as context"
        return check(value, info.context)

    return BeforeValidator(validate)


def _required(value: Any) -> Any:
    if value is None:
        raise ValueError("is missing or blank")
    return value


def _rating(value: Any) -> int | None:
    return _one_of(values.whole_number(value), (1, 2, 3, 4, 5), "a whole number from 1 to 5")


def _thumb(value: Any) -> int | None:
    return _one_of(values.whole_number(value), (1, -1), "1 for thumbs up or -1 for thumbs down")


def _one_of(number: int | None, allowed: tuple[int, ...], expected: str) -> int | None:
    if number is not None and number not in allowed:
        raise ValueError(f"is {number}, expected {expected}")
    return number


def _kind(value: Any) -> str:
    found = _required(values.name(value))
    if found not in {"text2sql", "rag"}:
        raise ValueError(f"is {found!r}, expected text2sql or rag")
    return found


def _rank(value: Any) -> int | None:
    rank = values.whole_number(value)
    if rank is not None and not 0 <= rank <= MAX_RANK:
        raise ValueError(f"is {rank}, expected a place from 0 to {MAX_RANK:,}")
    return rank


Text = Annotated[str | None, BeforeValidator(values.text)]
Name = Annotated[str | None, BeforeValidator(values.name)]
Key = Annotated[str | None, BeforeValidator(values.key)]
Number = Annotated[float | None, BeforeValidator(values.number)]
Truth = Annotated[bool | None, BeforeValidator(values.truth)]
Moment = Annotated[datetime | None, _with_limits(lambda value, limits: values.moment(value, limits.now))]
Question = Annotated[
    str, _with_limits(lambda value, limits: _required(values.line_text(value, limits.max_question_chars)))
]
Sql = Annotated[str | None, _with_limits(lambda value, limits: values.text(value, limits.max_sql_chars))]


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=True)


class CorrectionRow(_Row):
    """One text-to-SQL correction as it stands in a file."""

    client_key: Key = None
    database_id: Annotated[str, BeforeValidator(lambda value: _required(values.name(value)))] = ""
    natural_query: Question = ""
    generated_sql: Sql = None
    corrected_sql: Sql = None
    rating: Annotated[int | None, BeforeValidator(_rating)] = None
    comment: Text = None
    user_id: Key = None
    created_at: Moment = None

    @model_validator(mode="after")
    def _says_something(self) -> "CorrectionRow":
        if all(getattr(self, name) is None for name in SAYS_SOMETHING):
            raise ValueError(f"says nothing: give at least one of {', '.join(SAYS_SOMETHING)}")
        return self

    def submission(self, source: str) -> Submission:
        """Return what the store keeps."""
        return Submission(**self.model_dump(), source=source)


class ChunkRow(_Row):
    """One passage that was retrieved; ``rank`` defaults to its position in the list."""

    chunk_id: Annotated[str, BeforeValidator(lambda value: _required(values.key(value)))] = ""
    text: Text = None
    score: Number = None
    rank: Annotated[int | None, BeforeValidator(_rank)] = None
    in_scope: Truth = None


def _chunk_items(value: Any) -> list[Any]:
    chunks = values.items(value)
    for number, chunk in enumerate(chunks, start=1):
        if not isinstance(chunk, dict):
            raise ValueError(f"item {number} is no object")
    return chunks


class InteractionRow(_Row):
    """One answered question as it stands in a file, with what was retrieved for it and how it was rated."""

    client_key: Key = None
    kind: Annotated[Literal["text2sql", "rag"], BeforeValidator(_kind)] = "rag"
    database_id: Name = None
    natural_query: Question = ""
    output: Text = None
    user_id: Key = None
    created_at: Moment = None
    feedback: Annotated[int | None, BeforeValidator(_thumb)] = None
    feedback_reason: Text = None
    rated_at: Moment = None
    model: Name = None
    trace_id: Name = None
    chunks: Annotated[list[ChunkRow], BeforeValidator(_chunk_items)] = []

    @model_validator(mode="before")
    @classmethod
    def _has_a_kind(cls, row: Any) -> Any:
        return {"kind": None, **row}

    def interaction(self, source: str) -> Interaction:
        """Return what the store keeps."""
        fields = {name: getattr(self, name) for name in type(self).model_fields if name != "chunks"}
        return Interaction(**fields, chunks=self._ranked(), source=source)

    def _ranked(self) -> tuple[Chunk, ...]:
        return tuple(
            Chunk(c.chunk_id, c.text, c.score, position if c.rank is None else c.rank, c.in_scope)
            for position, c in enumerate(self.chunks, start=1)
        )

    @model_validator(mode="after")
    def _chunks_differ(self) -> "InteractionRow":
        ranked = self._ranked()
        for field in ("rank", "chunk_id"):
            found = Counter(getattr(chunk, field) for chunk in ranked)
            twice = sorted(value for value, count in found.items() if count > 1)
            if twice:
                raise ValueError(f"chunks repeat the {field} {', '.join(str(value) for value in twice)}")
        return self


def read_correction(fields: Mapping[str, Any], source: str, limits: Limits) -> Submission:
    """Return the submission that ``fields`` describe. Raises RowError."""
    return _validated(CorrectionRow, fields, limits).submission(source)


def read_interaction(fields: Mapping[str, Any], source: str, limits: Limits) -> Interaction:
    """Return the interaction that ``fields`` describe. Raises RowError."""
    return _validated(InteractionRow, fields, limits).interaction(source)


def _validated(model: type[Model], fields: Mapping[str, Any], limits: Limits) -> Model:
    try:
        return model.model_validate(dict(fields), context=limits)
    except ValidationError as error:
        raise _row_error(error) from None


def _row_error(error: ValidationError) -> RowError:
    found = [
        (".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, "))
        for item in error.errors(include_url=False, include_input=False)
    ]
    field, reason = found[0]
    others = "".join(f"; {name} {why}" for name, why in found[1:])
    return RowError(field or None, reason + others)
