"""Feedback with a history written down to the hour, and what else numbers are counted from."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import insert, update

from feedback_pipeline.store import Store, status_after
from feedback_pipeline.store.edits import EDIT_SOURCE
from feedback_pipeline.store.models import (
    ExampleSourceRow,
    FeedbackEventRow,
    FeedbackRow,
    InteractionRow,
    RetrievalExampleRow,
    RetrievalRow,
    RetrievedExampleRow,
    ReviewRow,
)

NOW = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)
"""A Wednesday."""

_numbers = count(1)

Step = tuple[str, float] | tuple[str, float, str | None]
"""An event, how many hours before NOW it happened, and who did it."""


def ago(hours: float) -> datetime:
    """Return a moment before NOW."""
    return NOW - timedelta(hours=hours)


def tell(
    store: Store, *steps: Step, database_id: str = "geo", user: str | None = "ann", question: str = "how long is it",
    sql: str | None = None, digest: str | None = None, mistake: bool = False, checks: Mapping[str, Any] | None = None,
    edit_of: str | None = None,
) -> str:  # fmt: skip
    """Store a feedback that ``steps`` happened to, in this order; return its id."""
    feedback_id = f"f{next(_numbers):05}"
    document = {"canonical_sql": sql, "result_digest": digest, "is_error_pair": mistake, "flags": [], **(checks or {})}
    row = {
        "feedback_id": feedback_id,
        "database_id": database_id,
        "natural_query": question,
        "user_hash": user,
        "source": EDIT_SOURCE if edit_of else "test",
        "client_key": f"{edit_of}/{feedback_id}" if edit_of else None,
        "status": status_after(step[0] for step in steps).value,
        "checks": document,
        "created_at": ago(steps[0][1]),
        "updated_at": ago(steps[-1][1]),
    }
    events = [
        {"feedback_id": feedback_id, "event": s[0], "at": ago(s[1]), "actor": s[2] if len(s) > 2 else None}
        for s in steps
    ]
    put(store, FeedbackRow, row)
    put(store, FeedbackEventRow, *events)
    return feedback_id


def supersede(store: Store, feedback_id: str, hours: float, *, by: str | None) -> None:
    """Note that a feedback was superseded so many hours ago, ``by`` an edit or by hand."""
    event = {"feedback_id": feedback_id, "event": "superseded", "at": ago(hours), "actor": "ada"}
    put(store, FeedbackEventRow, {**event, "payload": {"superseded_by": by} if by else None})
    with store.begin() as session:
        session.execute(update(FeedbackRow).where(FeedbackRow.feedback_id == feedback_id).values(status="superseded"))


def retrieve(
    store: Store, hours: float, *examples: str, database_id: str = "geo", withheld: tuple[str, ...] = (),
    rate: float | None = None, interaction_id: int | None = None,
) -> str:  # fmt: skip
    """Store a question that was given ``examples`` so many hours ago; return its id, which grows with time."""
    retrieval_id = f"{int(ago(hours).timestamp() * 1000):014}-{next(_numbers)}"
    row = {
        "retrieval_id": retrieval_id,
        "interaction_id": interaction_id,
        "database_id": database_id,
        "shown": len(examples),
        "holdback_rate": rate,
        "at": ago(hours),
    }
    given = [
        {"retrieval_id": retrieval_id, "rank": rank, "example_id": name, "withheld": name in withheld}
        for rank, name in enumerate((*examples, *withheld), start=1)
    ]
    put(store, RetrievalRow, row)
    put(store, RetrievalExampleRow, *given)
    return retrieval_id


def answer(
    store: Store, hours: float, *examples: str, database_id: str | None = "geo", feedback: int | None = None,
    retrieval_id: str | None = None,
) -> int:  # fmt: skip
    """Store an interaction of so many hours ago that reports ``examples``, rated at once; return its id."""
    interaction_id, at = next(_numbers), ago(hours)
    row = {
        "interaction_id": interaction_id,
        "kind": "text2sql",
        "database_id": database_id,
        "natural_query": "q",
        "feedback": feedback,
        "source": "test",
        "retrieval_id": retrieval_id,
        "created_at": at,
        "recorded_at": at,
        "rating_recorded_at": at if feedback else None,
    }
    put(store, InteractionRow, row)
    shown = [
        {"interaction_id": interaction_id, "rank": rank, "example_id": name, "withheld": False}
        for rank, name in enumerate(examples, start=1)
    ]
    put(store, RetrievedExampleRow, *shown)
    return interaction_id


def becomes(store: Store, feedback_id: str, example_id: str) -> None:
    """Note that an example rests on a feedback."""
    put(store, ExampleSourceRow, {"example_id": example_id, "feedback_id": feedback_id})


def say(store: Store, feedback_id: str, reviewer: str, verdict: str, hours: float) -> None:
    """Note the word of a reviewer."""
    put(store, ReviewRow, {"feedback_id": feedback_id, "reviewer": reviewer, "verdict": verdict, "at": ago(hours)})


def put(store: Store, model: Any, *rows: dict[str, Any]) -> None:
    """Insert rows."""
    if rows:
        with store.begin() as session:
            session.execute(insert(model), list(rows))
