"""What corrections were good for: which questions were given examples, which examples, and how answers were rated."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import case, func, literal_column, not_, select
from sqlalchemy.orm import Session, aliased

from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import (
    ExampleSourceRow,
    FeedbackRow,
    InteractionRow,
    RetrievalExampleRow,
    RetrievalRow,
    RetrievedExampleRow,
)
from feedback_pipeline.store.transitions import Status
from feedback_pipeline.store.types import UtcDay, on_day

_WRITTEN_OUT_OF_ORDER = 1_000
"""Several processes write what they have gathered for some seconds, so rows are not quite in the order of time."""


class Looked(NamedTuple):
    """So many questions about one database looked for examples on one day, and so many were given one."""

    day: date
    database_id: str
    queries: int
    with_example: int


class Rated(NamedTuple):
    """So many answers were rated so (1 or -1) on one day."""

    day: date
    rating: int
    number: int


class Source(NamedTuple):
    """A feedback that an example rests, or once rested, on. The question is in the form that may leave the store."""

    example_id: str
    feedback_id: str
    database_id: str
    question: str
    status: str


def lookups(session: Session, scope: Scope, days: Iterable[date]) -> list[Looked]:
    """Return how many questions looked for examples, and found one, on each of ``days`` in each database."""
    found = func.sum(case((RetrievalRow.shown > 0, 1), else_=0))
    query = (
        select(RetrievalRow.database_id, func.count(), found)
        .where(scope.includes(RetrievalRow.database_id))
        .group_by(RetrievalRow.database_id)
    )
    # Day by day: SQLite sorts what it groups, and a million at once do not fit in its memory.
    of_days = ((day, query.where(on_day(RetrievalRow.at, day))) for day in days)
    return [Looked(day, *row) for day, of_day in of_days for row in session.connection().execute(of_day)]


def interactions_reporting_examples(session: Session, scope: Scope) -> int:
    """Return how many interactions recorded since name the examples they were shown, but no retrieval."""
    interaction = InteractionRow.interaction_id
    query = (
        select(func.count(interaction.distinct()))
        .join(RetrievedExampleRow, RetrievedExampleRow.interaction_id == interaction)
        .where(
            not_(RetrievedExampleRow.withheld),
            InteractionRow.retrieval_id.is_(None),
            InteractionRow.recorded_at >= scope.since,
            scope.includes(InteractionRow.database_id),
        )
    )
    return session.scalars(query).one()


def queries_by_example(session: Session) -> Counter[str]:
    """Return in how many queries each example was given, ever; what was withheld does not count.

    Reports count where the interaction is about the database of the feedback the example rests on.
    """
    given = RetrievalExampleRow
    query = select(given.example_id, func.count()).group_by(given.example_id)
    counts = Counter(dict(session.connection().execute(query).tuples().all()))
    # Counting all is answered from an index alone, and what was withheld is little: one pass over the table.
    counts.subtract(session.scalars(select(given.example_id).where(given.withheld)))
    counts.update({example_id: count for example_id, count, _ in session.execute(_reported())})
    return +counts


def _reported(example_ids: Sequence[str] | None = None) -> Any:
    interaction, example_id = InteractionRow.interaction_id, RetrievedExampleRow.example_id
    sources = (
        select(ExampleSourceRow.example_id, FeedbackRow.database_id)
        .join(FeedbackRow, FeedbackRow.feedback_id == ExampleSourceRow.feedback_id)
        .distinct()
    )
    if example_ids is not None:
        sources = sources.where(ExampleSourceRow.example_id.in_(example_ids))
    source = sources.subquery("source")
    return (
        select(example_id, func.count(interaction.distinct()), func.max(InteractionRow.created_at))
        .join(InteractionRow, interaction == RetrievedExampleRow.interaction_id)
        .join(source, (source.c.example_id == example_id) & (source.c.database_id == InteractionRow.database_id))
        .where(not_(RetrievedExampleRow.withheld), InteractionRow.retrieval_id.is_(None))
        .group_by(example_id)
    )


def applied_sources(session: Session, scope: Scope) -> list[tuple[str, str]]:
    """Return (feedback_id, example_id) of what applied corrections became, as far as that is known."""
    query = (
        select(ExampleSourceRow.feedback_id, ExampleSourceRow.example_id)
        .join(FeedbackRow, FeedbackRow.feedback_id == ExampleSourceRow.feedback_id)
        .where(FeedbackRow.status == Status.APPLIED.value, scope.includes(FeedbackRow.database_id))
    )
    return [(feedback_id, example_id) for feedback_id, example_id in session.connection().execute(query)]


def examples_of(session: Session, scope: Scope) -> set[str] | None:
    """Return the examples of the databases of ``scope``; None where all are meant."""
    if scope.databases is None:
        return None
    query = select(ExampleSourceRow.example_id).where(scope.includes_feedback(ExampleSourceRow.feedback_id))
    return set(session.scalars(query))


def sources_of(session: Session, scope: Scope, example_ids: Sequence[str]) -> list[Source]:
    """Return what ``example_ids`` rest on, the earliest first."""
    question = func.coalesce(FeedbackRow.checks["safe_question"].as_string(), FeedbackRow.natural_query)
    columns = (ExampleSourceRow.example_id, FeedbackRow.feedback_id, FeedbackRow.database_id, question)
    query = (
        select(*columns, FeedbackRow.status)
        .join(FeedbackRow, FeedbackRow.feedback_id == ExampleSourceRow.feedback_id)
        .where(scope.includes(FeedbackRow.database_id))
        .order_by(FeedbackRow.created_at, FeedbackRow.feedback_id)
    )
    parts = [query.where(among(session, ExampleSourceRow.example_id, some)) for some in batches(example_ids)]
    return [Source(*row) for part in parts for row in session.execute(part)]


def withheld_by_example(session: Session) -> dict[str, int]:
    """Return from how many look-ups each example was withheld, ever."""
    given = RetrievalExampleRow
    query = select(given.example_id, func.count()).where(given.withheld).group_by(given.example_id)
    return dict(session.connection().execute(query).tuples().all())


def feedback_behind(session: Session, scope: Scope, example_ids: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """Return the database and the feedback (sorted ids) that each of ``example_ids`` rests, or once rested, on."""
    columns = ExampleSourceRow.example_id, FeedbackRow.database_id, FeedbackRow.feedback_id
    query = (
        select(*columns)
        .join(FeedbackRow, FeedbackRow.feedback_id == ExampleSourceRow.feedback_id)
        .where(scope.includes(FeedbackRow.database_id))
        .order_by(FeedbackRow.feedback_id)
    )
    found: dict[str, tuple[str, list[str]]] = {}
    for some in batches(example_ids):
        for example_id, database_id, feedback_id in session.execute(
            query.where(among(session, ExampleSourceRow.example_id, some))
        ):
            found.setdefault(example_id, (database_id, []))[1].append(feedback_id)
    return found


def last_uses(session: Session, example_ids: Sequence[str]) -> Mapping[str, datetime]:
    """Return when each of a few examples was given last."""
    retrievals = _last_retrievals(session, example_ids)
    query = select(RetrievalRow.retrieval_id, RetrievalRow.at)
    found = query.where(among(session, RetrievalRow.retrieval_id, list(retrievals.values())))
    times = dict(session.execute(found).tuples().all())
    latest = {example_id: times[retrieval_id] for example_id, retrieval_id in retrievals.items()}
    for example_id, _, at in session.execute(_reported(example_ids)):
        latest[example_id] = max(at, latest.get(example_id, at))
    return latest


def _last_retrievals(session: Session, example_ids: Sequence[str]) -> dict[str, str]:
    """Return the latest retrieval of each example that has any: their ids grow with time."""
    given = aliased(RetrievalExampleRow, name="given")
    if session.get_bind().dialect.name != "sqlite":
        query = select(given.example_id, func.max(given.retrieval_id)).group_by(given.example_id)
        wanted = query.where(among(session, given.example_id, list(example_ids)), not_(given.withheld))
        return dict(session.execute(wanted).tuples().all())
    # SQLite keeps the rows of one example in the order they were written, nearly that of time, and finds the last ones
    # without a look at the others.
    last = select(given.retrieval_id).where(not_(given.withheld)).order_by(literal_column("given.rowid").desc())
    few = last.limit(_WRITTEN_OUT_OF_ORDER)
    found = {name: max(session.scalars(few.where(given.example_id == name)), default=None) for name in example_ids}
    return {example_id: retrieval_id for example_id, retrieval_id in found.items() if retrieval_id is not None}


def ratings(session: Session, scope: Scope) -> list[Rated]:
    """Return how many answers were rated up and down on each day since, by the day the rating was recorded."""
    day = UtcDay(InteractionRow.rating_recorded_at)
    query = (
        select(day, InteractionRow.feedback, func.count())
        .where(
            InteractionRow.rating_recorded_at >= scope.since,
            InteractionRow.feedback.is_not(None),
            scope.includes(InteractionRow.database_id),
        )
        .group_by(day, InteractionRow.feedback)
    )
    return [Rated(*row) for row in session.execute(query)]
