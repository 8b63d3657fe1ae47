"""The system of record: what users said, what was decided about it, and when.

The story in the order it happens. A product records its **interactions** and users rate them. A user's
correction is **submitted** and waits as *pending*; automatic **checks** put their evidence beside it; a
reviewer or the pipeline **decides**, within the table of ``transitions``. Every step appends to
``feedback_events``, in the same transaction that changes the status, so the status of a feedback always is
what its events add up to. The pipeline reads whole days as Arrow tables through ``feed``; people read through
``queries``. Users who **opt out** have what they gave withdrawn; those who are **erased** leave nothing but an entry in
the journal of ``erasures``.

SQLite by default, Postgres in production, the same code on both. Raw user ids never get in (``identity``).
Nothing here knows Dagster, and nothing here judges SQL.
"""

from feedback_pipeline.store.databases import (
    Database,
    UnknownDatabaseError,
    UnknownDialectError,
    check_again,
    current_fingerprint,
    databases_by_id,
    get_database,
    known_dialect,
    list_databases,
    register_database,
)
from feedback_pipeline.store.decisions import CheckRecord, Decision, decide, record_checks, transition
from feedback_pipeline.store.engine import Store, open_store
from feedback_pipeline.store.erasures import (
    Erasure,
    any_open_erasure,
    close_erasure,
    get_erasure,
    note_found,
    note_progress,
    open_erasures,
    records_of,
    request_erasure,
)
from feedback_pipeline.store.errors import StoreUnavailableError
from feedback_pipeline.store.events import UnknownFeedbackError
from feedback_pipeline.store.feed import (
    STORED_SUBMISSIONS,
    check_states,
    checked_days,
    event_days,
    events_of_day,
    interaction_days,
    interactions_of_day,
    latest_decision_seq,
    overridden_checks,
    stored_submissions,
    submissions_of_day,
    submissions_standing,
)
from feedback_pipeline.store.identity import HashKeyError, UserHasher
from feedback_pipeline.store.interactions import (
    NOT_STORED,
    Chunk,
    Interaction,
    RetrievedExample,
    UnknownInteractionError,
    record_many,
)
from feedback_pipeline.store.opt_outs import OptedOutError, OptOut, opt_out, opted_out_users, undo_opt_out
from feedback_pipeline.store.queries import count_by_source, count_by_status, get_feedback, ids_by_status, list_feedback
from feedback_pipeline.store.ratings import Speaker, rate
from feedback_pipeline.store.receiving import (
    Entry,
    KeyReusedError,
    OtherDatabaseError,
    Recorded,
    record_once,
    submit_once,
)
from feedback_pipeline.store.schema_reading import DatabaseUnreachableError, InvalidDdlError, Schema
from feedback_pipeline.store.submissions import Submission, Submitted, submit_many
from feedback_pipeline.store.trained_models import TrainedModel, list_models, models_trained_on, note_model
from feedback_pipeline.store.transitions import (
    Event,
    IllegalTransitionError,
    Status,
    allowed_events,
    status_after,
)
from feedback_pipeline.store.user_records import (
    UserTexts,
    count_records,
    remove_user,
    scrub,
    still_stored,
    texts_of,
)

__all__ = [
    "NOT_STORED",
    "STORED_SUBMISSIONS",
    "CheckRecord",
    "Chunk",
    "Database",
    "DatabaseUnreachableError",
    "Decision",
    "Entry",
    "Erasure",
    "Event",
    "HashKeyError",
    "IllegalTransitionError",
    "Interaction",
    "InvalidDdlError",
    "KeyReusedError",
    "OptOut",
    "OptedOutError",
    "OtherDatabaseError",
    "Recorded",
    "RetrievedExample",
    "Schema",
    "Speaker",
    "Status",
    "Store",
    "StoreUnavailableError",
    "Submission",
    "Submitted",
    "TrainedModel",
    "UnknownDatabaseError",
    "UnknownDialectError",
    "UnknownFeedbackError",
    "UnknownInteractionError",
    "UserHasher",
    "UserTexts",
    "allowed_events",
    "any_open_erasure",
    "check_again",
    "check_states",
    "checked_days",
    "close_erasure",
    "count_by_source",
    "count_by_status",
    "count_records",
    "current_fingerprint",
    "databases_by_id",
    "decide",
    "event_days",
    "events_of_day",
    "get_database",
    "get_erasure",
    "get_feedback",
    "ids_by_status",
    "interaction_days",
    "interactions_of_day",
    "known_dialect",
    "latest_decision_seq",
    "list_databases",
    "list_feedback",
    "list_models",
    "models_trained_on",
    "note_found",
    "note_model",
    "note_progress",
    "open_erasures",
    "open_store",
    "opt_out",
    "opted_out_users",
    "overridden_checks",
    "rate",
    "record_checks",
    "record_many",
    "record_once",
    "records_of",
    "register_database",
    "remove_user",
    "request_erasure",
    "scrub",
    "status_after",
    "still_stored",
    "stored_submissions",
    "submissions_of_day",
    "submissions_standing",
    "submit_many",
    "submit_once",
    "texts_of",
    "transition",
    "undo_opt_out",
]
