"""Databases change: what was right yesterday may name a column that is gone today.

A changed schema is looked up and registered; feedback in use whose tables or columns are gone becomes ``stale``, and
returns when they do. What is stale follows from what the store holds, so a crash anywhere is mended by the next call.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa

from feedback_pipeline.checking import check_and_record, checker_from
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Database,
    DatabaseUnreachableError,
    Store,
    current_fingerprint,
    decide,
    list_databases,
    overridden_checks,
    register_database,
    submissions_standing,
)
from feedback_pipeline.store.schema_reading import fingerprint

ACTOR = "policy:schema"
_IN_USE = ("verified", "applied")
_STALE = "stale"
_CONNECTIONS = 8


@dataclass(frozen=True)
class SchemaLook:
    """What a look at all registered databases has shown: new fingerprints, and which could not be reached."""

    changed: Mapping[str, str] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DriftReport:
    """What schema changes have led to: databases registered anew, feedback that became stale or was restored."""

    look: SchemaLook
    stale: list[str]
    restored: list[str]


def look_at_schemas(store: Store) -> SchemaLook:
    """Compare each database whose schema was read from its URL with the one it is registered with.

    Changes nothing. A schema given as DDL stands, whatever the database says.
    """
    databases = [database for database in list_databases(store) if database.is_followed]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        found = dict(zip((d.database_id for d in databases), pool.map(_fingerprint, databases), strict=True))
    registered = {database.database_id: database.schema_fingerprint for database in databases}
    return SchemaLook(
        changed={i: f for i, f in found.items() if isinstance(f, str) and f != registered[i]},
        unreachable={i: str(error) for i, error in found.items() if not isinstance(error, str)},
    )


def _fingerprint(database: Database) -> str | DatabaseUnreachableError:
    try:
        found = current_fingerprint(database)
    except DatabaseUnreachableError as error:
        return error
    if database.schema and found == fingerprint({}, database.dialect):
        # A file being replaced, a failed copy, a right withdrawn: no reason to let everything go stale.
        way_out = f"If that is right, register it again: feedback-pipeline databases add {database.database_id} …"
        return DatabaseUnreachableError(f"Database {database.database_id}: it holds no tables any more. {way_out}")
    return found


def follow_schemas(store: Store, settings: Settings) -> DriftReport:
    """Register changed schemas and bring the statuses of feedback in line with them.

    A database that cannot be reached keeps its schema. Raises StoreUnavailableError.
    """
    look = look_at_schemas(store)
    for database in list_databases(store):
        if database.database_id in look.changed:
            register_database(store, database.database_id, database.dialect, database.url)
    stale, restored = mark_drift(store, settings)
    return DriftReport(look, stale, restored)


def mark_drift(store: Store, settings: Settings) -> tuple[list[str], list[str]]:
    """Check feedback in use against the registered schemas; return which became stale and which were restored."""
    checker = checker_from(store, settings)
    keys = {database.checks_key for database in checker.databases.values()} | {checker.facts("").checks_key}
    suspects = submissions_standing(store, _IN_USE, except_passed_as=keys)
    waiting = submissions_standing(store, [_STALE])
    in_use, waiting = (check_and_record(store, rows, checker) for rows in (suspects, waiting))
    return _make_stale(store, in_use), _restore(store, waiting)


def _make_stale(store: Store, checked: pa.Table) -> list[str]:
    gone = {row["feedback_id"]: row["checks"] for row in _rows(checked) if row["failed_check"] == "names_resolve"}
    overridden = overridden_checks(store, gone)
    by_reason: dict[str, list[str]] = defaultdict(list)
    for feedback_id, checks in gone.items():
        if overridden.get(feedback_id) != "names_resolve":
            by_reason[json.loads(checks)["names_resolve"]["detail"]].append(feedback_id)
    return _decided(store, "stale", by_reason)


def _restore(store: Store, checked: pa.Table) -> list[str]:
    back = [row["feedback_id"] for row in _rows(checked) if row["failed_check"] != "names_resolve"]
    return _decided(store, "restored", {"its tables and columns are back": back})


def _rows(checked: pa.Table) -> Iterable[dict[str, str]]:
    return checked.select(["feedback_id", "failed_check", "checks"]).to_pylist()


def _decided(store: Store, event: str, by_reason: Mapping[str, list[str]]) -> list[str]:
    decisions = [
        decision
        for reason, feedback_ids in sorted(by_reason.items())
        for decision in decide(store, feedback_ids, event, actor=ACTOR, reason=reason)
    ]
    return [decision.feedback_id for decision in decisions if decision.outcome == "done"]
