"""What the order of the review queue is worked out from, and where it is written."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, not_, select, update

from feedback_pipeline.store.edits import is_edit
from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.lookups import batches
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow, InteractionRow, OptOutRow
from feedback_pipeline.store.standing import IN_USE
from feedback_pipeline.store.transitions import Status

WRITTEN_TOGETHER = 500
"""Small transactions: who sends feedback waits for one of them at most."""

_SHORTEST_PAUSE_S = 0.005


_CANONICAL_SQL = FeedbackRow.checks["canonical_sql"].as_string()


class Waiting(NamedTuple):
    """A pending feedback with its place in the queue as it is stored.

    ``canonical_sql`` is null where nothing was checked or could be read.
    """

    feedback_id: str
    database_id: str
    natural_query: str
    interaction_id: int | None
    created_at: datetime
    canonical_sql: str | None
    checks_passed: bool | None
    flagged: bool
    review_order: float
    times_asked: int
    similar_waiting: int
    in_conflict: bool


class Place(NamedTuple):
    """A place in the queue, and the numbers it comes from."""

    review_order: float
    times_asked: int
    similar_waiting: int
    in_conflict: bool


@dataclass(frozen=True)
class Mark:
    """How far the store has come: what the order rests on has not changed while this is the same."""

    event_seq: int
    interaction_id: int


def mark_of(store: Store) -> Mark:
    """Return how far the store has come."""
    with store.read() as session:
        newest = session.scalar(select(func.max(FeedbackEventRow.event_seq)))
        return Mark(newest or 0, session.scalar(select(func.max(InteractionRow.interaction_id))) or 0)


def waiting_feedback(store: Store) -> list[Waiting]:
    """Return all pending feedback, by id."""
    columns = [_CANONICAL_SQL if name == "canonical_sql" else getattr(FeedbackRow, name) for name in Waiting._fields]
    query = select(*columns).where(FeedbackRow.status == Status.PENDING.value)
    with store.read() as session:
        return sorted(Waiting(*row) for row in session.execute(query))


def answers_in_use(store: Store) -> list[tuple[str, str, str]]:
    """Return (database_id, question, canonical SQL) of what is verified or applied, where its SQL could be read."""
    in_use = FeedbackRow.status.in_(IN_USE), _CANONICAL_SQL.is_not(None)
    query = select(FeedbackRow.database_id, FeedbackRow.natural_query, _CANONICAL_SQL).where(*in_use)
    with store.read() as session:
        return list(session.execute(query).tuples())


def never_checked(store: Store, limit: int) -> list[str]:
    """Return the ids of up to ``limit`` pending feedbacks that have no verdict at all."""
    unchecked = FeedbackRow.status == Status.PENDING.value, FeedbackRow.checks_passed.is_(None)
    with store.read() as session:
        return sorted(session.scalars(select(FeedbackRow.feedback_id).where(*unchecked).limit(limit)))


def asked_since(store: Store, since: datetime) -> Iterator[tuple[int | str, str, str]]:
    """Yield (id, database_id, question) of what was asked since a moment.

    That is every interaction about a database, and every feedback that is about no interaction; the id is a number for
    the one and a text for the other. Without edits of reviewers, what was withdrawn, and users who have opted out.
    """
    opted_out = select(OptOutRow.user_hash).where(OptOutRow.user_hash == InteractionRow.user_hash)
    interactions = select(
        InteractionRow.interaction_id, InteractionRow.database_id, InteractionRow.natural_query
    ).where(InteractionRow.recorded_at >= since, InteractionRow.database_id.is_not(None), not_(opted_out.exists()))
    feedback = select(FeedbackRow.feedback_id, FeedbackRow.database_id, FeedbackRow.natural_query).where(
        FeedbackRow.created_at >= since,
        FeedbackRow.interaction_id.is_(None),
        ~is_edit(),
        FeedbackRow.status != Status.WITHDRAWN.value,
    )
    with store.read() as session:
        for query in (interactions, feedback):
            yield from session.execute(query).tuples()


def decided_counts(store: Store) -> dict[tuple[str, bool | None, bool], int]:
    """Count feedback by (status, checks_passed, flagged)."""
    columns = FeedbackRow.status, FeedbackRow.checks_passed, FeedbackRow.flagged
    with store.read() as session:
        rows = session.execute(select(*columns, func.count()).group_by(*columns))
        return {(status, passed, flagged): count for status, passed, flagged, count in rows}


def write_places(store: Store, places: Iterable[tuple[str, Place]]) -> int:
    """Store places by feedback id in small transactions, and let others write between them; return how many."""
    statement = (
        update(FeedbackRow)
        .where(FeedbackRow.feedback_id == bindparam("id"))
        .values({name: bindparam(f"new_{name}") for name in Place._fields})
    )
    written = 0
    for some in batches(places, WRITTEN_TOGETHER):
        values = [_values(feedback_id, place) for feedback_id, place in some]
        started = time.monotonic()
        with store.begin() as session:
            # Other writers change many rows in another order: without this lock two might wait for each other.
            lock(session, "events")
            session.connection().execute(statement, values)
        written += len(values)
        if store.engine.dialect.name == "sqlite":
            # Its writers do not queue: without a pause whoever writes in a loop is always first.
            time.sleep(max(_SHORTEST_PAUSE_S, time.monotonic() - started))
    return written


def _values(feedback_id: str, place: Place) -> dict[str, Any]:
    return {"id": feedback_id, **{f"new_{name}": value for name, value in place._asdict().items()}}
