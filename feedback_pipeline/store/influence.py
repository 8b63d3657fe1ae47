"""Which examples questions were given, and how often what a user said was of use since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, not_, select
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.lookups import among, batches, insert_missing
from feedback_pipeline.store.models import (
    ExampleSourceRow,
    FeedbackRow,
    InteractionRow,
    RetrievalExampleRow,
    RetrievalRow,
    RetrievedExampleRow,
)
from feedback_pipeline.store.ratings import Speaker

_Owner = tuple[str | None, str | None]
"""Whose an interaction is (the hash), and of which database."""


@dataclass(frozen=True)
class GivenExample:
    """An example that a retrieval answered with (``rank`` 1 is the best), or ``withheld`` to measure its effect."""

    example_id: str
    rank: int
    score: float | None = None
    withheld: bool = False


@dataclass(frozen=True)
class Retrieval:
    """A question that examples were looked up for. ``retrieval_id`` is a UUIDv7, so that the greatest is the latest.

    ``interaction_id`` is what the agent says it was for, ``speaker`` who says so (None: somebody trusted).
    ``holdback_rate`` is the share of retrievals from which one example was withheld at random when this one was made.
    The question itself is not kept.
    """

    retrieval_id: str
    database_id: str
    at: datetime
    index_version: int | None = None
    interaction_id: int | None = None
    examples: Sequence[GivenExample] = ()
    speaker: Speaker | None = None
    holdback_rate: float | None = None


@dataclass(frozen=True)
class Use:
    """In how many queries the examples that rest on a feedback were given, and when last (UTC; None: never)."""

    queries: int = 0
    last_used_at: datetime | None = None


def record_retrievals(store: Store, retrievals: Sequence[Retrieval]) -> None:
    """Store ``retrievals`` in one transaction; those that are stored already stay as they are.

    An interaction that does not exist (any more) is not named; nor is, by a ``speaker``, one of somebody else or of
    another database. Raises StoreUnavailableError.
    """
    claimed = {item.interaction_id for item in retrievals if item.interaction_id is not None}
    with store.begin() as session:
        owners = _owners(session, claimed)
        rows = [_row(item, item.interaction_id if _may_name(item, owners) else None) for item in retrievals]
        given = [{"retrieval_id": item.retrieval_id, **asdict(one)} for item in retrievals for one in item.examples]
        insert_missing(session, RetrievalRow, rows)
        insert_missing(session, RetrievalExampleRow, given)


def _may_name(item: Retrieval, owners: Mapping[int, _Owner]) -> bool:
    if item.interaction_id is None or item.interaction_id not in owners:
        return False
    user_hash, database_id = owners[item.interaction_id]
    if item.speaker is None:
        return True
    return user_hash in (None, item.speaker.user_hash) and database_id in (None, item.database_id)


def _owners(session: Session, interaction_ids: Iterable[int]) -> dict[int, _Owner]:
    claimed = sorted(interaction_ids)
    if claimed:
        # An erasure deletes what names an interaction; nothing may come to name it behind its back.
        lock(session, "interactions")
    columns = InteractionRow.interaction_id, InteractionRow.user_hash, InteractionRow.database_id
    owners: dict[int, _Owner] = {}
    for some in batches(claimed):
        query = select(*columns).where(among(session, InteractionRow.interaction_id, some))
        owners.update({number: (user_hash, database_id) for number, user_hash, database_id in session.execute(query)})
    return owners


def _row(item: Retrieval, interaction_id: int | None) -> dict[str, Any]:
    return {
        "retrieval_id": item.retrieval_id,
        "interaction_id": interaction_id,
        "database_id": item.database_id,
        "index_version": item.index_version,
        "shown": sum(not one.withheld for one in item.examples),
        "holdback_rate": item.holdback_rate,
        "at": item.at,
    }


def uses_of(store: Store, feedback_ids: Sequence[str]) -> dict[str, Use]:
    """Return the use of each of ``feedback_ids``, at most ``lookups.IDS_PER_QUERY``; zero where there was none.

    A query counts once for a feedback however many of its examples it was given: each retrieval, and each interaction
    about the same database that reports its examples itself because it names no retrieval. What was withheld does not
    count.
    """
    with store.read() as session:
        retrieved = _counts(session, _given_by_retrievals(), feedback_ids)
        reported = _counts(session, _reported_by_interactions(), feedback_ids)
        times = _times(session, [latest for _, latest in retrieved.values()])
    return {i: _use(retrieved.get(i), reported.get(i), times) for i in feedback_ids}


def _given_by_retrievals() -> Select[tuple[str, int, str]]:
    retrieval = RetrievalExampleRow.retrieval_id
    return (
        select(ExampleSourceRow.feedback_id, func.count(retrieval.distinct()), func.max(retrieval))
        .join(RetrievalExampleRow, RetrievalExampleRow.example_id == ExampleSourceRow.example_id)
        .where(not_(RetrievalExampleRow.withheld))
        .group_by(ExampleSourceRow.feedback_id)
    )


def _reported_by_interactions() -> Select[tuple[str, int, datetime]]:
    interaction = InteractionRow.interaction_id
    about = select(FeedbackRow.database_id).where(FeedbackRow.feedback_id == ExampleSourceRow.feedback_id)
    return (
        select(ExampleSourceRow.feedback_id, func.count(interaction.distinct()), func.max(InteractionRow.created_at))
        .join(RetrievedExampleRow, RetrievedExampleRow.example_id == ExampleSourceRow.example_id)
        .join(InteractionRow, interaction == RetrievedExampleRow.interaction_id)
        # Not "is null": SQLite would begin with all interactions that name no retrieval, which are most of them.
        .where(not_(RetrievedExampleRow.withheld), func.coalesce(InteractionRow.retrieval_id, "") == "")
        .where(InteractionRow.database_id == about.scalar_subquery())
        .group_by(ExampleSourceRow.feedback_id)
    )


def _counts(session: Session, query: Select[Any], feedback_ids: Sequence[str]) -> dict[str, tuple[int, Any]]:
    wanted = query.where(among(session, ExampleSourceRow.feedback_id, list(feedback_ids)))
    return {feedback_id: (count, latest) for feedback_id, count, latest in session.execute(wanted)}


def _times(session: Session, retrieval_ids: list[str]) -> dict[str, datetime]:
    query = select(RetrievalRow.retrieval_id, RetrievalRow.at)
    return dict(session.execute(query.where(among(session, RetrievalRow.retrieval_id, retrieval_ids))).tuples().all())


def _use(retrieved: tuple[int, str] | None, reported: tuple[int, datetime] | None, times: dict[str, datetime]) -> Use:
    last = [times[retrieved[1]]] if retrieved else []
    last += [reported[1]] if reported else []
    count = (retrieved[0] if retrieved else 0) + (reported[0] if reported else 0)
    return Use(count, max(last, default=None))
