"""Checking what the store holds: brings together ``curation`` (the rules) and ``store`` (the evidence kept)."""

import json

import numpy as np
import pyarrow as pa

from feedback_pipeline.curation.check_tables import check_submissions, from_stored_checks, needs_check
from feedback_pipeline.curation.checks import CorrectionChecker, DatabaseFacts
from feedback_pipeline.schemas import CHECKED_FEEDBACK, SUBMISSIONS
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import CheckRecord, Database, Store, databases_by_id, record_checks
from feedback_pipeline.store.types import canonical_json

ROWS_PER_TRANSACTION = 20_000


def checker_from(store: Store, settings: Settings) -> CorrectionChecker:
    """Return a checker that knows the registered databases. Raises StoreUnavailableError."""
    facts = {database_id: facts_of(database) for database_id, database in databases_by_id(store).items()}
    return CorrectionChecker(facts, settings.default_dialect)


def facts_of(database: Database) -> DatabaseFacts:
    """Return what the checks may know of a registered database."""
    return DatabaseFacts(
        database.database_id,
        database.dialect,
        columns=database.schema,
        schema_fingerprint=database.schema_fingerprint,
    )


def check_and_record(store: Store, submissions: pa.Table, checker: CorrectionChecker) -> pa.Table:
    """Return ``submissions`` (store.STORED_SUBMISSIONS) as schemas.CHECKED_FEEDBACK, rows in the same order.

    Only those whose stored verdict is missing or out of date are checked, and their evidence is stored.
    Raises UnknownFeedbackError for a row that the store does not hold, and StoreUnavailableError.
    """
    parts = [
        _check_part(store, submissions.slice(start, ROWS_PER_TRANSACTION), checker)
        for start in range(0, submissions.num_rows, ROWS_PER_TRANSACTION)
    ]
    return pa.concat_tables(parts) if parts else CHECKED_FEEDBACK.empty_table()


def _check_part(store: Store, submissions: pa.Table, checker: CorrectionChecker) -> pa.Table:
    needed = needs_check(submissions, checker)
    fresh = check_submissions(submissions.filter(needed).select(SUBMISSIONS.names), checker)
    fresh = _record(store, fresh)
    is_known = ~needed.to_numpy(zero_copy_only=False)
    known = from_stored_checks(submissions.filter(pa.array(is_known)))
    # Back into the order they came in: the fresh ones stand first now.
    order = np.argsort(np.argsort(is_known, kind="stable"), kind="stable")
    return pa.concat_tables([fresh, known]).take(pa.array(order))


def _record(store: Store, checked: pa.Table) -> pa.Table:
    """Store the verdicts and return them as the store spells them, so that they read the same ever after."""
    evidence = [json.loads(text) for text in checked["checks"].to_pylist()]
    rows = zip(
        checked["feedback_id"].to_pylist(),
        evidence,
        checked["checks_key"].to_pylist(),
        checked["passed"].to_pylist(),
        strict=True,
    )
    if checked.num_rows:
        record_checks(store, [CheckRecord(*row) for row in rows])
    column = pa.array([canonical_json(document) for document in evidence], pa.string())
    return checked.set_column(checked.schema.get_field_index("checks"), CHECKED_FEEDBACK.field("checks"), column)
