"""Feedback moves on: checks are recorded, reviewers and the pipeline decide, alone or in bulk.

What is allowed stands in ``transitions``; here it is carried out, once, however many decide at the same time.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Text, bindparam, cast, update
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import UnknownFeedbackError, append_events, event_row, rows_by_id, utc_now
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.transitions import (
    ALLOWED_FROM,
    TARGET,
    Event,
    IllegalTransitionError,
    Status,
    next_status,
)
from feedback_pipeline.store.types import canonical_json

Outcome = Literal["done", "noted", "unchanged", "refused", "reserved", "unknown"]

NO_CHECK = "none"
"""What an override stands above where no check had failed: nothing that fails later."""


@dataclass(frozen=True)
class CheckRecord:
    """What the automatic checks found about one feedback.

    ``checks`` is the evidence, JSON-able. ``checks_key`` identifies what it was made with: version of the
    checks, dialect, schema fingerprint.
    """

    feedback_id: str
    checks: dict[str, Any]
    checks_key: str
    passed: bool


@dataclass(frozen=True)
class Decision:
    """What became of one feedback; ``unchanged``: it already was so. ``detail`` says why it was not done.

    ``noted`` and ``reserved`` are answers of a ``Permit``. ``code`` names for programs what ``detail`` explains:
    ``illegal_transition``, ``checks_failed``, ``moved_on`` (it was not as expected) or what a ``Permit`` says.
    """

    feedback_id: str
    outcome: Outcome
    detail: str | None = None
    code: str | None = None


Permit = Callable[[Session, list[str]], Mapping[str, Decision]]
"""Asked in the transaction of a decision, under its lock, about the ids that are to be decided.

What it returns is the answer for these, and they are not decided; it may write beside the decision.
"""


@dataclass(frozen=True)
class _Order:
    """One call of ``decide``: what is to happen, by whom and why."""

    event: Event
    actor: str
    reason: str | None
    payload: dict[str, Any] | None
    expected: Status | None
    overridden: dict[str, str] = field(default_factory=dict)

    @property
    def overrides_checks(self) -> bool:
        return bool((self.payload or {}).get("override") is True and (self.reason or "").strip())

    def payload_for(self, feedback_id: str) -> dict[str, Any] | None:
        """Return what the event of one feedback carries: an override says which failed check it stands above."""
        check = self.overridden.get(feedback_id)
        return self.payload if check is None else {**(self.payload or {}), "overridden_check": check}


def record_checks(store: Store, records: Iterable[CheckRecord]) -> int:
    """Store check results in one transaction and return how many differ from what was stored before.

    Only those get a ``checked`` event. Raises UnknownFeedbackError, and stores nothing, when one names no
    feedback.
    """
    by_id = {record.feedback_id: record for record in records}
    with store.begin() as session:
        lock(session, "events")
        stored = rows_by_id(
            session,
            by_id,
            FeedbackRow.checks_key,
            FeedbackRow.checks_passed,
            cast(FeedbackRow.checks, Text).label("checks"),
        )
        for missing in by_id.keys() - stored.keys():
            raise UnknownFeedbackError(missing)
        changed = [record for record in by_id.values() if _differs(record, stored[record.feedback_id])]
        _write_checks(session, changed)
    return len(changed)


def _differs(record: CheckRecord, stored: Any) -> bool:
    return (record.checks_key, record.passed, canonical_json(record.checks)) != (
        stored.checks_key,
        stored.checks_passed,
        stored.checks,
    )


def _write_checks(session: Session, records: list[CheckRecord]) -> None:
    if not records:
        return
    now = utc_now()
    statement = (
        update(FeedbackRow)
        .where(FeedbackRow.feedback_id == bindparam("id"))
        .values(
            checks=bindparam("c"),
            checks_key=bindparam("k"),
            checks_passed=bindparam("p"),
            flagged=bindparam("f"),
            updated_at=now,
        )
    )
    values = [
        {"id": r.feedback_id, "c": r.checks, "k": r.checks_key, "p": r.passed, "f": bool(r.checks.get("flags"))}
        for r in records
    ]
    session.connection().execute(statement, values)
    events = [
        event_row(r.feedback_id, Event.CHECKED, now, payload={"passed": r.passed, "checks_key": r.checks_key})
        for r in records
    ]
    append_events(session, events)


def decide(
    store: Store,
    feedback_ids: Iterable[str],
    event: str,
    *,
    actor: str,
    reason: str | None = None,
    payload: dict[str, Any] | None = None,
    expected: str | None = None,
    permit: Permit | None = None,
) -> list[Decision]:
    """Let ``event`` happen to all of ``feedback_ids`` in one transaction; return a decision per distinct id.

    ``verified`` needs passed checks, or ``payload={"override": True}`` and a reason; the event then names the
    ``overridden_check``, so that the override does not cover another one that fails later. ``expected`` is the
    status the caller saw (a page that has been open for a while): feedback that has moved on since is
    refused. Of several callers that decide the same feedback at the same time one gets ``done``. ``permit`` has the
    last word on what is to be decided. Raises ValueError when ``event`` is not a deciding one.
    """
    order = _Order(_deciding(event), actor, reason, payload, None if expected is None else Status(expected))
    ids = list(dict.fromkeys(feedback_ids))
    # Seen before the lock is taken: whoever changes a feedback from here on makes the update below miss it.
    with store.read() as session:
        seen = _look_up(session, ids)
        order.overridden.update(_overridden(session, ids) if order.overrides_checks else {})
    decisions = {feedback_id: _judge(feedback_id, seen.get(feedback_id), order) for feedback_id in ids}
    wanted = [feedback_id for feedback_id in ids if decisions[feedback_id].outcome == "done"]
    if wanted:
        with store.begin() as session:
            lock(session, "events")
            held = permit(session, wanted) if permit else {}
            decisions.update(held)
            decisions.update(_carry_out(session, [i for i in wanted if i not in held], seen, order))
    return list(decisions.values())


def transition(
    store: Store,
    feedback_id: str,
    event: str,
    *,
    actor: str,
    reason: str | None = None,
    payload: dict[str, Any] | None = None,
    expected: str | None = None,
) -> Decision:
    """Let ``event`` happen to one feedback; like ``decide``, but what cannot be done is raised.

    Raises UnknownFeedbackError or IllegalTransitionError. A feedback that already is so comes back
    ``unchanged``.
    """
    options = {"actor": actor, "reason": reason, "payload": payload, "expected": expected}
    [decision] = decide(store, [feedback_id], event, **options)
    if decision.outcome == "unknown":
        raise UnknownFeedbackError(feedback_id)
    if decision.outcome == "refused":
        with store.read() as session:
            current = _look_up(session, [feedback_id])[feedback_id].status
        raise IllegalTransitionError(feedback_id, current, event, decision.detail)
    return decision


def _deciding(event: str) -> Event:
    if event not in ALLOWED_FROM:
        raise ValueError(f"{event!r} decides nothing: use one of {', '.join(ALLOWED_FROM)}.")
    return Event(event)


def _look_up(session: Session, ids: list[str]) -> dict[str, Any]:
    return rows_by_id(session, ids, FeedbackRow.status, FeedbackRow.checks_passed)


def _overridden(session: Session, ids: list[str]) -> dict[str, str]:
    """Return the check that an override of each feedback stands above; without evidence it is not known."""
    failed = FeedbackRow.checks["failed_check"].as_string().label("failed_check")
    rows = rows_by_id(session, ids, failed, FeedbackRow.checks_passed)
    checks = {i: NO_CHECK if row.checks_passed else row.failed_check for i, row in rows.items()}
    return {feedback_id: check for feedback_id, check in checks.items() if check is not None}


def _judge(feedback_id: str, seen: Any, order: _Order) -> Decision:
    """Say what should become of one feedback, as it was seen; ``done`` still has to be carried out."""
    if seen is None:
        return Decision(feedback_id, "unknown", str(UnknownFeedbackError(feedback_id)))
    if seen.status == TARGET[order.event]:
        return Decision(feedback_id, "unchanged", f"It already is {seen.status}.")
    if order.expected is not None and seen.status != order.expected:
        detail = f"It is no longer {order.expected} but {seen.status}: look again."
        return Decision(feedback_id, "refused", detail, "moved_on")
    try:
        next_status(feedback_id, Status(seen.status), order.event)
    except IllegalTransitionError as error:
        return Decision(feedback_id, "refused", str(error), "illegal_transition")
    if order.event == Event.VERIFIED and not seen.checks_passed and not order.overrides_checks:
        return Decision(feedback_id, "refused", _unchecked(seen.checks_passed), "checks_failed")
    return Decision(feedback_id, "done")


def _unchecked(passed: bool | None) -> str:
    state = "Its automatic checks have not run yet" if passed is None else "Its automatic checks failed"
    return f"{state}: see to that first, or override them and give a reason."


def _carry_out(session: Session, ids: list[str], seen: dict[str, Any], order: _Order) -> dict[str, Decision]:
    """Decide ``ids``; return decisions for those that someone else decided first. The caller holds the lock."""
    now = utc_now()
    won: set[str] = set()
    for status in Status:
        for chunk in batches(i for i in ids if seen[i].status == status):
            won.update(_compare_and_set(session, chunk, status, order, now))
    who_and_why = {"actor": order.actor, "reason": order.reason}
    events = [event_row(i, order.event, now, payload=order.payload_for(i), **who_and_why) for i in ids if i in won]
    append_events(session, events)
    lost = [i for i in ids if i not in won]
    present = _look_up(session, lost)
    return {i: _too_late(i, present.get(i), order) for i in lost}


def _compare_and_set(session: Session, ids: list[str], status: Status, order: _Order, now: Any) -> Iterable[str]:
    statement = (
        update(FeedbackRow)
        .where(among(session, FeedbackRow.feedback_id, ids), FeedbackRow.status == status.value)
        .values(status=TARGET[order.event].value, status_reason=order.reason, updated_at=now)
        .returning(FeedbackRow.feedback_id)
    )
    return session.connection().execute(statement).scalars()


def _too_late(feedback_id: str, present: Any, order: _Order) -> Decision:
    decision = _judge(feedback_id, present, order)
    if decision.outcome in {"unchanged", "unknown"}:
        return decision
    detail = f"Someone else made it {present.status} meanwhile: look again."
    return Decision(feedback_id, "refused", detail, "moved_on")
