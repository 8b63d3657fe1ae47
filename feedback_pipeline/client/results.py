"""What the API answers with. Fields that a newer server adds are ignored, those an older one lacks have a default."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from feedback_pipeline.client.errors import FeedbackError

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class FeedbackEntry:
    """A correction as it is stored; only lists say how often it was of use, and they leave out SQL and comment.

    ``status`` is pending, verified, applied, rejected, superseded, stale or withdrawn.
    """

    feedback_id: str
    status: str
    database_id: str
    natural_query: str
    created_at: datetime
    updated_at: datetime | None = None
    status_reason: str | None = None
    generated_sql: str | None = None
    corrected_sql: str | None = None
    rating: int | None = None
    comment: str | None = None
    interaction_id: int | None = None
    used_in_queries: int | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "FeedbackEntry":
        """Read an entry from JSON."""
        return _of(cls, document, **_times(document, "created_at", "updated_at"))


@dataclass(frozen=True)
class Page:
    """Some entries, newest first, and where the next ones begin."""

    entries: tuple[FeedbackEntry, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Page":
        """Read a page from JSON."""
        return cls(tuple(map(FeedbackEntry.of, document["feedback"])), document.get("next_cursor"))


@dataclass(frozen=True)
class HistoryEvent:
    """One thing that happened to feedback."""

    event: str
    at: datetime
    reason: str | None = None
    actor: str | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "HistoryEvent":
        """Read an event from JSON."""
        return _of(cls, document, **_times(document, "at"))


@dataclass(frozen=True)
class Checks:
    """What the automatic checks found; ``state`` is passed, failed or not_yet. Only reviewers are told ``flags``."""

    state: str
    failed_check: str | None = None
    detail: str | None = None
    results_equal: bool | None = None
    flags: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Checks":
        """Read it from JSON."""
        return _of(cls, document, flags=tuple(document.get("flags") or ()))


@dataclass(frozen=True)
class FeedbackStatus:
    """What became of feedback.

    Attributes:
        entry: the feedback itself.
        yours: the user of the request gave it.
        superseded_by: id of what took its place, such as a reviewer's version of it; ask for its status next.
        history: what happened to it, oldest first.
        checks: what the automatic checks found.
        index_version: publication of the example index it is in; None where it is in none.
        dataset_versions: training sets it is in, such as ``text2sql@v3``.
        used_in_queries: how many questions were given an example that rests on it.

    """

    entry: FeedbackEntry
    yours: bool = False
    superseded_by: str | None = None
    history: tuple[HistoryEvent, ...] = ()
    checks: Checks = Checks("not_yet")
    index_version: int | None = None
    dataset_versions: tuple[str, ...] = ()
    used_in_queries: int = 0

    @property
    def status(self) -> str:
        """Where the feedback stands."""
        return self.entry.status

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "FeedbackStatus":
        """Read a status from JSON."""
        applied = document.get("applied") or {}
        return cls(
            entry=FeedbackEntry.of(document),
            yours=bool(document.get("yours")),
            superseded_by=document.get("superseded_by"),
            history=tuple(map(HistoryEvent.of, document.get("history") or ())),
            checks=Checks.of(document.get("checks") or {"state": "not_yet"}),
            index_version=applied.get("index_version"),
            dataset_versions=tuple(f"{one['name']}@v{one['version']}" for one in applied.get("datasets") or ()),
            used_in_queries=applied.get("used_in_queries") or 0,
        )


@dataclass(frozen=True)
class Example:
    """One verified correction that resembles a question.

    The higher the ``score`` the more alike; ``rank`` 1 is the best. ``yours``: the user of the request gave it.
    ``feedback_ids`` are all the feedback behind it. ``adapted_sql`` is the SQL with the values of the question asked.
    """

    example_id: str
    natural_query: str
    sql: str
    rank: int
    score: float
    generated_sql: str | None = None
    feedback_id: str | None = None
    feedback_ids: tuple[str, ...] = ()
    database_id: str | None = None
    source: str | None = None
    yours: bool = False
    index_version: int | None = None
    adapted_sql: str | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any], index_version: int | None) -> "Example":
        """Read an example from JSON."""
        ids = tuple(document.get("feedback_ids") or ())
        return _of(cls, document, feedback_ids=ids, index_version=index_version)


@dataclass(frozen=True)
class Learned:
    """A correction that an answer rests on; ``yours``: the user of the request gave it."""

    feedback_id: str
    example_id: str
    rank: int
    yours: bool = False

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Learned":
        """Read it from JSON."""
        return _of(cls, document)


@dataclass(frozen=True)
class SearchResult:
    """Examples for a question.

    Attributes:
        examples: best first; none where nothing similar is known.
        prompt: the same as text to put into a prompt; empty without examples.
        index_version: publication they come from; None where nothing is published.
        retrieval_id: pass it on when the answer is recorded.
        learned_from_correction: what the widget's ``data-learned-from`` shows, best first.

    """

    examples: tuple[Example, ...]
    prompt: str
    index_version: int | None = None
    retrieval_id: str | None = None
    learned_from_correction: tuple[Learned, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "SearchResult":
        """Read a result from JSON."""
        version = document.get("index_version")
        examples = tuple(Example.of(example, version) for example in document["examples"])
        learned = tuple(map(Learned.of, document.get("learned_from_correction") or ()))
        return _of(cls, document, examples=examples, learned_from_correction=learned)


def nothing_found(error: FeedbackError) -> SearchResult:
    """Return a search without examples, and warn that it could not be made."""
    logger.warning("no examples can be retrieved: %s", error)
    return SearchResult((), "")


@dataclass(frozen=True)
class OptOut:
    """What an opt-out did: so much feedback was withdrawn, so many examples left the live index."""

    known_before: bool = False
    withdrawn: int = 0
    examples_taken_out: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "OptOut":
        """Read it from JSON."""
        return _of(cls, document)


@dataclass(frozen=True)
class Erasure:
    """An erasure that was asked for; ``state`` is pending until a run in the background has removed everything."""

    erasure_id: str
    state: str
    examples_taken_out: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Erasure":
        """Read it from JSON."""
        return _of(cls, document)


def _of(cls: type[T], document: Mapping[str, Any], **read: Any) -> T:
    """Return a ``cls`` of those fields of ``document`` that it knows; ``read`` holds what has been converted."""
    values = {**document, **read}
    return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})  # type: ignore[arg-type]


def _times(document: Mapping[str, Any], *names: str) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(document[name]) for name in names if document.get(name)}
