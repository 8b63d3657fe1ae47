"""What the pipeline reads: the store's days as Arrow tables, and the small facts its sensors watch.

A day is a UTC day of *recording*: what arrives today about last year belongs to today, so that past days
never change under the pipeline. One select per table, streamed straight into Arrow; no ORM objects.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import ColumnElement, Select, Text, and_, cast, false, func, not_, or_, select
from sqlalchemy.orm import Session, aliased

from feedback_pipeline.schemas import RAW_FEEDBACK, RAW_INTERACTIONS, SUBMISSIONS
from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow, InteractionRow, OptOutRow, RetrievedChunkRow
from feedback_pipeline.store.transitions import ECHOES, UNPUBLISHED, Event, Status
from feedback_pipeline.store.types import UtcDay, on_day

ROWS_PER_BATCH = 20_000

STORED_SUBMISSIONS = pa.schema([*SUBMISSIONS, pa.field("checks", pa.string()), pa.field("checks_key", pa.string())])
"""Submissions with the checks the store holds for them: JSON with sorted keys, null where there are none."""

INTERACTIONS_ALONE = pa.schema([field for field in RAW_INTERACTIONS if field.name != "chunks"])
CHUNK = RAW_INTERACTIONS.field("chunks").type.value_type
CHUNK_ROWS = pa.schema([pa.field("interaction_id", pa.int64(), nullable=False), *CHUNK])


def events_of_day(store: Store, day: date) -> pa.Table:
    """Return the events of the UTC day ``day`` (schema RAW_FEEDBACK), ordered by event_seq."""
    query = (
        select(*_columns(FeedbackEventRow, RAW_FEEDBACK, payload=cast(FeedbackEventRow.payload, Text)))
        .where(on_day(FeedbackEventRow.at, day))
        .order_by(FeedbackEventRow.event_seq)
    )
    with store.read() as session:
        return _table(session, query, RAW_FEEDBACK)


def submissions_of_day(store: Store, day: date) -> pa.Table:
    """Return what was submitted on the UTC day ``day`` (schema STORED_SUBMISSIONS), by feedback_id."""
    query = (
        select(*_columns(FeedbackRow, STORED_SUBMISSIONS, checks=cast(FeedbackRow.checks, Text)))
        .join(FeedbackEventRow, FeedbackEventRow.feedback_id == FeedbackRow.feedback_id)
        .where(FeedbackEventRow.event == Event.SUBMITTED.value, on_day(FeedbackEventRow.at, day))
        .order_by(FeedbackRow.feedback_id)
    )
    with store.read() as session:
        return _table(session, query, STORED_SUBMISSIONS)


def stored_submissions(store: Store, feedback_ids: Iterable[str], *, status: Status | None = None) -> pa.Table:
    """Return those of ``feedback_ids`` that are stored (schema STORED_SUBMISSIONS), in their order, each once.

    With ``status`` only those that stand there.
    """
    ids = list(dict.fromkeys(feedback_ids))
    columns = _columns(FeedbackRow, STORED_SUBMISSIONS, checks=cast(FeedbackRow.checks, Text).label("checks"))
    with store.read() as session:
        rows = rows_by_id(session, ids, *columns[1:], FeedbackRow.status)
    found = [rows[i] for i in ids if i in rows and status in (None, rows[i].status)]
    arrays = [pa.array([getattr(row, field.name) for row in found], field.type) for field in STORED_SUBMISSIONS]
    return pa.Table.from_arrays(arrays, schema=STORED_SUBMISSIONS)


def submissions_standing(
    store: Store, statuses: Iterable[str], *, except_passed_as: Iterable[str] | None = None
) -> pa.Table:
    """Return feedback in some statuses (schema STORED_SUBMISSIONS), by feedback_id.

    With ``except_passed_as`` without those that passed their checks under one of these keys.
    """
    query = (
        select(*_columns(FeedbackRow, STORED_SUBMISSIONS, checks=cast(FeedbackRow.checks, Text)))
        .where(FeedbackRow.status.in_(list(statuses)))
        .order_by(FeedbackRow.feedback_id)
    )
    if except_passed_as is not None:
        passed = and_(FeedbackRow.checks_passed.is_(True), FeedbackRow.checks_key.in_(list(except_passed_as)))
        query = query.where(not_(func.coalesce(passed, false())))
    with store.read() as session:
        return _table(session, query, STORED_SUBMISSIONS)


def overridden_checks(store: Store, feedback_ids: Iterable[str]) -> dict[str, str]:
    """Return, for each feedback verified although a check failed, the check its latest verification overrides."""
    query = (
        select(FeedbackEventRow.feedback_id, FeedbackEventRow.payload)
        .where(FeedbackEventRow.event == Event.VERIFIED.value)
        .order_by(FeedbackEventRow.event_seq)
    )
    found: dict[str, str | None] = {}
    with store.read() as session:
        for some in batches(feedback_ids):
            rows = session.execute(query.where(among(session, FeedbackEventRow.feedback_id, some)))
            found |= {feedback_id: (payload or {}).get("overridden_check") for feedback_id, payload in rows}
    return {feedback_id: check for feedback_id, check in found.items() if check}


def interactions_of_day(store: Store, day: date) -> pa.Table:
    """Return what was recorded or rated on the UTC day ``day`` (schema RAW_INTERACTIONS).

    Without those of users who have opted out.
    Ordered by interaction_id; ``chunks`` are in rank order, an empty list where nothing was retrieved.
    """
    on_that_day = or_(on_day(InteractionRow.recorded_at, day), on_day(InteractionRow.rating_recorded_at, day))
    is_of_day = and_(on_that_day, _may_be_used())
    interactions = select(*_columns(InteractionRow, INTERACTIONS_ALONE)).order_by(InteractionRow.interaction_id)
    chunks = (
        select(*_columns(RetrievedChunkRow, CHUNK_ROWS))
        .join(InteractionRow, InteractionRow.interaction_id == RetrievedChunkRow.interaction_id)
        .order_by(RetrievedChunkRow.interaction_id, RetrievedChunkRow.rank)
    )
    with store.read() as session:
        table = _table(session, interactions.where(is_of_day), INTERACTIONS_ALONE)
        rows = _table(session, chunks.where(is_of_day), CHUNK_ROWS)
    lists = _lists(table["interaction_id"].to_numpy(), rows)
    return table.append_column(RAW_INTERACTIONS.field("chunks"), lists)


def rated_interactions(store: Store, kind: str) -> set[int]:
    """Return the ids of the rated interactions of a kind, without those of users who have opted out."""
    query = select(InteractionRow.interaction_id).where(
        InteractionRow.kind == kind, InteractionRow.feedback.is_not(None), _may_be_used()
    )
    with store.read() as session:
        return set(session.connection().execute(query).scalars())


def event_days(store: Store) -> dict[date, int]:
    """Return, per UTC day, the largest event_seq of what came from outside, not from the pipeline itself."""
    day = UtcDay(FeedbackEventRow.at)
    query = (
        select(day, func.max(FeedbackEventRow.event_seq))
        .where(FeedbackEventRow.event.not_in([event.value for event in ECHOES]))
        .group_by(day)
        .order_by(day)
    )
    with store.read() as session:
        return dict(session.execute(query).tuples().all())


def interaction_days(store: Store) -> dict[date, str]:
    """Return, per UTC day on which interactions were recorded or rated, a mark that changes when the day's rows do."""
    with store.read() as session:
        recorded = _counts_by_day(session, InteractionRow.recorded_at)
        rated = _counts_by_day(session, InteractionRow.rating_recorded_at)
    none = (0, "")
    return {
        day: ":".join(map(str, (*recorded.get(day, none), *rated.get(day, none))))
        for day in sorted(recorded.keys() | rated.keys())
    }


def _counts_by_day(session: Session, moment: Any) -> dict[date, tuple[int, str]]:
    day = UtcDay(moment)
    query = select(day, func.count(), func.max(moment)).where(moment.is_not(None), _may_be_used()).group_by(day)
    return {day: (count, latest.isoformat()) for day, count, latest in session.execute(query)}


def _may_be_used() -> ColumnElement[bool]:
    opted_out = select(OptOutRow.user_hash).where(OptOutRow.user_hash == InteractionRow.user_hash)
    return not_(opted_out.exists())


def check_states(store: Store) -> list[tuple[date, str, str | None]]:
    """Return the distinct (UTC day of submission, database_id, checks_key) of all feedback."""
    submitted = FeedbackEventRow.event == Event.SUBMITTED.value
    query = (
        select(UtcDay(FeedbackEventRow.at), FeedbackRow.database_id, FeedbackRow.checks_key)
        .join(FeedbackRow, FeedbackRow.feedback_id == FeedbackEventRow.feedback_id)
        .where(submitted)
        .distinct()
    )
    with store.read() as session:
        return [tuple(row) for row in session.execute(query)]


def checked_days(store: Store) -> dict[date, int]:
    """Return, per UTC day of submission, the largest event_seq with which evidence of its feedback was stored."""
    submitted, checked = aliased(FeedbackEventRow), aliased(FeedbackEventRow)
    day = UtcDay(submitted.at)
    query = (
        select(day, func.max(checked.event_seq))
        .join(checked, checked.feedback_id == submitted.feedback_id)
        .where(submitted.event == Event.SUBMITTED.value, checked.event == Event.CHECKED.value)
        .group_by(day)
    )
    with store.read() as session:
        return dict(session.execute(query).tuples().all())


def latest_decision_seq(store: Store, *, or_submission: bool = False) -> int:
    """Return the largest event_seq among events that change what is published, 0 if there is none.

    With ``or_submission`` submissions count too: where rules verify, they can change it.
    """
    ignored = UNPUBLISHED - {Event.SUBMITTED} if or_submission else UNPUBLISHED
    telling = [event.value for event in Event if event not in ignored]
    query = select(func.max(FeedbackEventRow.event_seq)).where(FeedbackEventRow.event.in_(telling))
    with store.read() as session:
        return session.scalar(query) or 0


def _columns(model: Any, schema: pa.Schema, **replaced: Any) -> list[Any]:
    return [replaced.get(name, getattr(model, name)) for name in schema.names]


def _table(session: Session, query: Select[Any], schema: pa.Schema) -> pa.Table:
    rows = session.connection().execute(query, execution_options={"yield_per": ROWS_PER_BATCH})
    return pa.Table.from_batches((_batch(part, schema) for part in rows.partitions()), schema)


def _batch(rows: Any, schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _lists(interaction_ids: np.ndarray, rows: pa.Table) -> pa.Array:
    """Fold ``rows``, ordered by interaction_id and rank, into one list of chunks per interaction."""
    starts = np.searchsorted(rows["interaction_id"].to_numpy(), interaction_ids)
    offsets = pa.array([*starts, rows.num_rows], pa.int32())
    columns = [rows[field.name].combine_chunks() for field in CHUNK]
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=list(CHUNK)))
