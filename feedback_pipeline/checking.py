"""Checking what the store holds: brings together ``curation`` (the rules), ``execution`` and ``store`` (the evidence).

SQL is read by the rules first, many rows at a time; what can be run is run; and the evidence of both is stored.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.curation.check_tables import check_submissions, from_stored_checks, needs_check
from feedback_pipeline.curation.checks import CorrectionChecker
from feedback_pipeline.curation.verdicts import DatabaseFacts, with_execution
from feedback_pipeline.execution import Evidence, Limits, Pair, Target, evidence_of, is_executable
from feedback_pipeline.schemas import CHECKED_FEEDBACK, SUBMISSIONS
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import CheckRecord, Database, Store, databases_by_id, record_checks
from feedback_pipeline.store.types import canonical_json

ROWS_PER_TRANSACTION = 20_000
ROWS_PER_ROUND = 1_000
"""So many rows are run before their evidence is stored."""

_TRY_AGAIN = ":unreachable"
"""Ends the key of a verdict whose database could not be reached, so that it never is up to date."""

_FROM_EVIDENCE = (
    "passed",
    "failed_check",
    "is_error_pair",
    "results_equal",
    "result_digest",
    "flags",
    "checks_key",
    "checks",
)


class ExecutingChecker(CorrectionChecker):
    """A checker that also knows where SQL can be run, and within which limits."""

    def __init__(
        self,
        databases: Mapping[str, DatabaseFacts],
        default_dialect: str = "sqlite",
        targets: Mapping[str, Target] | None = None,
        limits: Limits | None = None,
    ):
        super().__init__(databases, default_dialect)
        self.targets = dict(targets or {})
        self.limits = limits or limits_of(Settings())


def checker_from(store: Store, settings: Settings) -> ExecutingChecker:
    """Return a checker that knows the registered databases. Raises StoreUnavailableError."""
    databases = databases_by_id(store).values()
    facts = {database.database_id: facts_of(database) for database in databases}
    targets = {d.database_id: Target(d.database_id, d.dialect, d.url) for d in databases}
    return ExecutingChecker(facts, settings.default_dialect, targets, limits_of(settings))


def limits_of(settings: Settings) -> Limits:
    """Return how long, and on how many rows and bytes, SQL may be run as evidence."""
    return Limits(
        timeout_s=settings.execution_timeout_s,
        max_rows=settings.execution_max_rows,
        max_bytes=settings.execution_max_bytes,
        sample_rows=settings.execution_sample_rows,
        workers=settings.execution_workers,
    )


def facts_of(database: Database) -> DatabaseFacts:
    """Return what the checks may know of a registered database."""
    return DatabaseFacts(
        database.database_id,
        database.dialect,
        columns=database.schema,
        schema_fingerprint=database.schema_fingerprint,
        executable=is_executable(database.url),
        epoch=database.checks_epoch,
    )


def check_and_record(store: Store, submissions: pa.Table, checker: ExecutingChecker) -> pa.Table:
    """Return ``submissions`` (store.STORED_SUBMISSIONS) as schemas.CHECKED_FEEDBACK, rows in the same order.

    Only those whose stored verdict is missing or out of date are checked, and their evidence is stored.
    Raises UnknownFeedbackError for a row that the store does not hold, and StoreUnavailableError.
    """
    parts = [
        _check_part(store, submissions.slice(start, ROWS_PER_TRANSACTION), checker)
        for start in range(0, submissions.num_rows, ROWS_PER_TRANSACTION)
    ]
    return pa.concat_tables(parts) if parts else CHECKED_FEEDBACK.empty_table()


def check_anew(store: Store, submissions: pa.Table, checker: ExecutingChecker) -> int:
    """Check ``submissions`` (store.STORED_SUBMISSIONS) whatever is stored; return how many have other evidence now."""
    forgotten = pa.nulls(submissions.num_rows, pa.string())
    column = submissions.schema.get_field_index("checks_key")
    after = check_and_record(store, submissions.set_column(column, "checks_key", forgotten), checker)
    return sum(a != b for a, b in zip(submissions["checks"].to_pylist(), after["checks"].to_pylist(), strict=True))


def _check_part(store: Store, submissions: pa.Table, checker: ExecutingChecker) -> pa.Table:
    needed = needs_check(submissions, checker)
    read = check_submissions(submissions.filter(needed).select(SUBMISSIONS.names), checker)
    fresh = _run_and_record(store, read, checker)
    is_known = ~needed.to_numpy(zero_copy_only=False)
    known = from_stored_checks(submissions.filter(pa.array(is_known)))
    # Back into the order they came in: the fresh ones stand first now.
    order = np.argsort(np.argsort(is_known, kind="stable"), kind="stable")
    return pa.concat_tables([fresh, known]).take(pa.array(order))


def _run_and_record(store: Store, read: pa.Table, checker: ExecutingChecker) -> pa.Table:
    """Run in rounds, so that a break loses little; what is the same stands together, so that it is run once."""
    order = pc.sort_indices(read, [("database_id", "ascending"), ("answer_sql", "ascending")])
    rounds = (order.slice(start, ROWS_PER_ROUND) for start in range(0, read.num_rows, ROWS_PER_ROUND))
    parts = [_record(store, run_as_evidence(read.take(rows), checker)) for rows in rounds]
    return pa.concat_tables(parts).take(pc.sort_indices(order)) if parts else read


def run_as_evidence(checked: pa.Table, checker: ExecutingChecker) -> pa.Table:
    """Run what can be run of ``checked`` (schemas.CHECKED_FEEDBACK) and return it with that evidence joined."""
    columns = checked.select(["database_id", "answer_sql", "corrected_sql", "generated_sql", "checks_key", "checks"])
    rows = [{**row, "checks": json.loads(row["checks"])} for row in columns.to_pylist()]
    pairs = [_pair(row) for row in rows]
    found = evidence_of({pair for pair in pairs if pair}, checker.targets, checker.limits)
    joined = [_joined(row, found[pair] if pair else None) for row, pair in zip(rows, pairs, strict=True)]
    for name in _FROM_EVIDENCE:
        field = CHECKED_FEEDBACK.field(name)
        values = pa.array([row[name] for row in joined], field.type)
        checked = checked.set_column(checked.schema.get_field_index(name), field, values)
    return checked


def _pair(row: Mapping[str, Any]) -> Pair | None:
    """Return what is to be run for a row; None where its answer could not be read as one query."""
    document = row["checks"]
    if document["canonical_sql"] is None:
        return None
    corrects = (row["corrected_sql"] or "").strip() and (row["generated_sql"] or "").strip()
    generated = document.get("tidied_generated_sql", row["generated_sql"]) if corrects else None
    return Pair(row["database_id"], row["answer_sql"], generated, tuple(document["tables"]), document["ordered"])


def _joined(row: Mapping[str, Any], evidence: Evidence | None) -> dict[str, Any]:
    shown = evidence.document() if evidence else _not_run(row["checks"])
    document = with_execution(row["checks"], shown, evidence.result_digest if evidence else None)
    again = _TRY_AGAIN if evidence and evidence.transient else ""
    return {**document, "checks_key": row["checks_key"] + again, "checks": canonical_json(document)}


def _not_run(document: Mapping[str, Any]) -> dict[str, Any]:
    reason = f"not run: the answer fails the check {document['failed_check']}"
    return {"outcome": "not_checked", "detail": reason, "results_equal": None, "reason": reason}


def _record(store: Store, checked: pa.Table) -> pa.Table:
    """Store the verdicts; their evidence already is spelled as the store will spell it."""
    rows = zip(
        checked["feedback_id"].to_pylist(),
        (json.loads(text) for text in checked["checks"].to_pylist()),
        checked["checks_key"].to_pylist(),
        checked["passed"].to_pylist(),
        strict=True,
    )
    if checked.num_rows:
        record_checks(store, [CheckRecord(*row) for row in rows])
    return checked
