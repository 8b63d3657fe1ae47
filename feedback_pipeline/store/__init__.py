"""The system of record: what users said, what was decided about it, and when.

The story in the order it happens. A product records its **interactions** and users rate them. A user's
correction is **submitted** and waits as *pending*; automatic **checks** put their evidence beside it; a
reviewer or the pipeline **decides**, within the table of ``transitions``. Every step appends to
``feedback_events``, in the same transaction that changes the status, so the status of a feedback always is
what its events add up to. The pipeline reads whole days as Arrow tables through ``feed``; people read through
``queries``.

SQLite by default, Postgres in production, the same code on both. Raw user ids never get in (``identity``).
Nothing here knows Dagster, and nothing here judges SQL.
"""

from feedback_pipeline.store.databases import (
    Database,
    UnknownDatabaseError,
    UnknownDialectError,
    current_fingerprint,
    databases_by_id,
    get_database,
    known_dialect,
    list_databases,
    register_database,
)
from feedback_pipeline.store.decisions import CheckRecord, Decision, decide, record_checks, transition
from feedback_pipeline.store.engine import Store, open_store
from feedback_pipeline.store.errors import StoreUnavailableError
from feedback_pipeline.store.events import UnknownFeedbackError
from feedback_pipeline.store.feed import (
    STORED_SUBMISSIONS,
    check_states,
    event_days,
    events_of_day,
    interaction_days,
    interactions_of_day,
    latest_decision_seq,
    submissions_of_day,
)
from feedback_pipeline.store.identity import HashKeyError, UserHasher
from feedback_pipeline.store.interactions import (
    Chunk,
    Interaction,
    RetrievedExample,
    UnknownInteractionError,
    rate,
    record_many,
)
from feedback_pipeline.store.queries import count_by_source, count_by_status, get_feedback, ids_by_status, list_feedback
from feedback_pipeline.store.schema_reading import DatabaseUnreachableError, InvalidDdlError, Schema
from feedback_pipeline.store.submissions import Submission, Submitted, submit_many
from feedback_pipeline.store.transitions import (
    Event,
    IllegalTransitionError,
    Status,
    allowed_events,
    status_after,
)

__all__ = [
    "STORED_SUBMISSIONS",
    "CheckRecord",
    "Chunk",
    "Database",
    "DatabaseUnreachableError",
    "Decision",
    "Event",
    "HashKeyError",
    "IllegalTransitionError",
    "Interaction",
    "InvalidDdlError",
    "RetrievedExample",
    "Schema",
    "Status",
    "Store",
    "StoreUnavailableError",
    "Submission",
    "Submitted",
    "UnknownDatabaseError",
    "UnknownDialectError",
    "UnknownFeedbackError",
    "UnknownInteractionError",
    "UserHasher",
    "allowed_events",
    "check_states",
    "count_by_source",
    "count_by_status",
    "current_fingerprint",
    "databases_by_id",
    "decide",
    "event_days",
    "events_of_day",
    "get_database",
    "get_feedback",
    "ids_by_status",
    "interaction_days",
    "interactions_of_day",
    "known_dialect",
    "latest_decision_seq",
    "list_databases",
    "list_feedback",
    "open_store",
    "rate",
    "record_checks",
    "record_many",
    "register_database",
    "status_after",
    "submissions_of_day",
    "submit_many",
    "transition",
]
