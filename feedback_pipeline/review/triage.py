"""Brings the queue up to date: checks what waits, then works out what is most worth a reviewer's time.

Nothing here decides anything. A second call finds nothing to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from feedback_pipeline.checking import ExecutingChecker, checker_from
from feedback_pipeline.curation.review_value import (
    ASKED,
    OUTCOMES,
    SAID,
    WAITING,
    Outcome,
    chances,
    review_values,
)
from feedback_pipeline.policy import Progress, check_ids, known_conflicts, silently, waiting_unchecked
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Status, Store, UnknownFeedbackError
from feedback_pipeline.store.edits import originals_of_edits
from feedback_pipeline.store.queue_order import (
    Place,
    Waiting,
    answers_in_use,
    asked_since,
    decided_counts,
    waiting_feedback,
    write_places,
)
from feedback_pipeline.store.reservations import drop_expired

COUNTED_DAYS = 90
"""Days back in which askings are counted: long enough for what comes once a month, short enough to follow a change."""

_LED_TO_VERIFIED = frozenset({Status.VERIFIED, Status.APPLIED, Status.STALE})
_DECIDED = _LED_TO_VERIFIED | {Status.REJECTED}


@dataclass(frozen=True)
class TriageReport:
    """What was done: feedback checked, how much waits, how much of that has moved or contradicts others."""

    checked: int = 0
    waiting: int = 0
    moved: int = 0
    in_conflict: int = 0


def triage(
    store: Store, settings: Settings, *, limit: int | None = None, progress: Progress = silently
) -> TriageReport:
    """Check at most ``limit`` of what waits and has no verdict of today, then put all that waits in order.

    Raises StoreUnavailableError.
    """
    checker = checker_from(store, settings)
    checked = check(store, checker, waiting_unchecked(store, checker)[:limit], progress)
    waiting, moved, in_conflict = put_in_order(store, settings)
    drop_expired(store)
    return TriageReport(checked, waiting, moved, in_conflict)


def check(store: Store, checker: ExecutingChecker, feedback_ids: Sequence[str], progress: Progress = silently) -> int:
    """Check those of ``feedback_ids`` that are pending, and return how many were."""
    while True:
        try:
            return check_ids(store, checker, feedback_ids, progress=progress)
        except UnknownFeedbackError:
            # Erased while it was checked: what is stored already is not checked again.
            continue


def put_in_order(store: Store, settings: Settings, now: datetime | None = None) -> tuple[int, int, int]:
    """Work out the place of all that waits; return how much that is, how much moved, and how much is in conflict."""
    waiting = waiting_feedback(store)
    if not waiting:
        return 0, 0, 0
    since = (now or datetime.now(UTC)) - timedelta(days=COUNTED_DAYS)
    tables = waiting_table(waiting, originals_of_edits(store)), asked_table(store, since), in_use_table(store)
    values = review_values(*tables, chances(_decided(store)))
    rivals = {c.feedback_id for conflict in known_conflicts(store, settings) for a in conflict.rivals for c in a.claims}
    columns = (values[name].to_pylist() for name in ("expected_value", "times_asked", "similar_waiting"))
    places = [
        Place(-value, times_asked, similar, row.feedback_id in rivals)
        for row, value, times_asked, similar in zip(waiting, *columns, strict=True)
    ]
    moved = [(row.feedback_id, place) for row, place in zip(waiting, places, strict=True) if _differs(row, place)]
    write_places(store, moved)
    return len(waiting), len(moved), sum(place.in_conflict for place in places)


def _differs(row: Waiting, place: Place) -> bool:
    return place != (row.review_order, row.times_asked, row.similar_waiting, row.in_conflict)


def waiting_table(waiting: Sequence[Waiting], original_of: Mapping[str, str]) -> pa.Table:
    """Return pending feedback as ``curation.review_value`` takes it; an edit is about the asking of its original."""
    columns = {
        "feedback_id": [row.feedback_id for row in waiting],
        "database_id": [row.database_id for row in waiting],
        "natural_query": [row.natural_query for row in waiting],
        "outcome": [outcome_of(row.checks_passed, row.flagged) for row in waiting],
        "ask_id": [_ask_id(r.interaction_id or original_of.get(r.feedback_id, r.feedback_id)) for r in waiting],
        "canonical_sql": [row.canonical_sql for row in waiting],
        "created_at": [row.created_at for row in waiting],
    }
    return pa.table(columns, WAITING)


def asked_table(store: Store, since: datetime) -> pa.Table:
    """Return what was asked since a moment as ``curation.review_value`` takes it."""
    rows = list(asked_since(store, since))
    ids, databases, questions = zip(*rows, strict=True) if rows else ((), (), ())
    columns = {"ask_id": [_ask_id(i) for i in ids], "database_id": databases, "natural_query": questions}
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}, ASKED)


def in_use_table(store: Store) -> pa.Table:
    """Return what is verified or applied as ``curation.review_value`` takes it."""
    rows = answers_in_use(store)
    columns = zip(*rows, strict=True) if rows else ([] for _ in SAID)
    return pa.table([pa.array(values, field.type) for values, field in zip(columns, SAID, strict=True)], schema=SAID)


def _ask_id(record_id: int | str) -> str:
    return f"interaction {record_id}" if isinstance(record_id, int) else record_id


def outcome_of(passed: bool | None, flagged: bool) -> Outcome:
    """Return what the checks say in one word."""
    if passed is None:
        return "unchecked"
    if not passed:
        return "failed"
    return "flagged" if flagged else "passed"


def _decided(store: Store) -> dict[Outcome, tuple[int, int]]:
    """Return (verified, decided) per check outcome; what was superseded or withdrawn was not judged."""
    counts = decided_counts(store)
    found: dict[Outcome, tuple[int, int]] = {}
    for outcome in OUTCOMES:
        judged = {k: n for k, n in counts.items() if k[0] in _DECIDED and outcome_of(k[1], k[2]) == outcome}
        found[outcome] = sum(n for k, n in judged.items() if k[0] in _LED_TO_VERIFIED), sum(judged.values())
    return found
