"""What a model was taught, and which mistakes users report: the material for telling which were repeated."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Boolean, Select, Text, and_, column, func, or_, select, true
from sqlalchemy.orm import Session

from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.counting.statuses import UtcSeconds
from feedback_pipeline.store.edits import is_edit
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.store.transitions import ALLOWED_FROM, Event, Status
from feedback_pipeline.store.types import UtcDateTime

ANSWERS = pa.schema(
    [
        pa.field("feedback_id", pa.string()),
        pa.field("database_id", pa.string()),
        pa.field("question", pa.string()),
        pa.field("canonical_sql", pa.string()),
        pa.field("result_digest", pa.string()),
        pa.field("is_mistake", pa.bool_()),
        pa.field("submitted", pa.float64()),
    ]
)
"""The answer of one feedback per row, in texts that may leave the store.

``canonical_sql`` is null where the SQL was not checked or could not be read, ``result_digest`` where rows say nothing;
``is_mistake`` tells whether it shows a mistake of the model. ``submitted`` is in seconds since 1970, null where that
was before what is counted, and for the edits of reviewers: users report mistakes.
"""

PERIODS = pa.schema(
    [pa.field("feedback_id", pa.string()), pa.field("since", pa.float64()), pa.field("until", pa.float64())]
)
"""A time in which a feedback was applied, in seconds since 1970; ``until`` is null where it still is."""

_TEXTS, _MISTAKE = ("safe_question", "canonical_sql", "result_digest"), "is_error_pair"
"""Where the evidence has them."""

_LEAVES_USE = [event.value for event, sources in ALLOWED_FROM.items() if Status.APPLIED in sources]


def answers(session: Session, scope: Scope) -> pa.Table:
    """Return the answer of each feedback that was submitted since or ever applied (ANSWERS)."""
    events = FeedbackEventRow
    is_submission = and_(events.event == Event.SUBMITTED.value, events.at >= scope.since)
    ids = select(events.feedback_id).where(or_(is_submission, events.event == Event.APPLIED.value))
    query = _said(session).where(FeedbackRow.feedback_id.in_(ids), scope.includes(FeedbackRow.database_id))
    found = _table(session.connection().execute(query).all(), ANSWERS.remove(ANSWERS.get_field_index("submitted")))
    return found.append_column(ANSWERS.field("submitted"), _submitted(session, scope, found["feedback_id"]))


def _said(session: Session) -> Select[Any]:
    """Return a query for the columns of ANSWERS that stand in the feedback and its evidence."""
    checks, known = FeedbackRow.checks, (FeedbackRow.feedback_id, FeedbackRow.database_id)
    if session.get_bind().dialect.name == "postgresql":
        # One reading of the document gives all fields; each ``->>`` would read it again.
        fields = (column(name, Text) for name in _TEXTS), column(_MISTAKE, Boolean)
        function = func.json_to_record(checks).table_valued(*fields[0], fields[1])
        said = function.render_derived(name="said", with_types=True)
        question, *others = (said.c[name] for name in (*_TEXTS, _MISTAKE))
        columns = (*known, func.coalesce(question, FeedbackRow.natural_query), *others)
        return select(*columns).select_from(FeedbackRow).outerjoin(said, true())
    question, *others = (checks[name].as_string() for name in _TEXTS)
    return select(*known, func.coalesce(question, FeedbackRow.natural_query), *others, checks[_MISTAKE].as_boolean())


def _submitted(session: Session, scope: Scope, feedback_ids: pa.ChunkedArray) -> pa.ChunkedArray:
    edits = select(FeedbackRow.feedback_id).where(is_edit())
    query = scope.events(FeedbackEventRow.feedback_id, UtcSeconds(FeedbackEventRow.at)).where(
        FeedbackEventRow.event == Event.SUBMITTED.value, FeedbackEventRow.feedback_id.not_in(edits)
    )
    rows = session.connection().execute(query).all()
    known = _table(rows, pa.schema([ANSWERS.field("feedback_id"), ANSWERS.field("submitted")]))
    return pc.take(known["submitted"], pc.index_in(feedback_ids, known["feedback_id"]))


def periods_of_use(session: Session, scope: Scope) -> pa.Table:
    """Return all periods in which feedback was applied, since ever (PERIODS)."""
    events = FeedbackEventRow
    until = func.lead(events.at, type_=UtcDateTime).over(partition_by=events.feedback_id, order_by=events.event_seq)
    steps = (
        select(events.feedback_id, events.event, events.at, until.label("until"))
        .where(
            events.event.in_([Event.APPLIED.value, *_LEAVES_USE]),
            scope.includes_feedback(events.feedback_id),
        )
        .subquery()
    )
    columns = steps.c.feedback_id, UtcSeconds(steps.c.at), UtcSeconds(steps.c.until)
    return _table(
        session.connection().execute(select(*columns).where(steps.c.event == Event.APPLIED.value)).all(), PERIODS
    )


def _table(rows: Sequence[Any], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
