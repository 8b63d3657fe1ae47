"""What reviewers decide about single feedbacks: verified, rejected, superseded, reopened, or corrected and verified."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from feedback_pipeline.checking import check_and_record, checker_from
from feedback_pipeline.review.edits import supersede_originals
from feedback_pipeline.review.permission import ReviewersWord
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Decision, Event, Status, Store, decide, stored_submissions
from feedback_pipeline.store.decisions import Outcome
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.models import FeedbackRow

WAY_OUT = "Reject it, or override the check and give a reason."


@dataclass(frozen=True)
class Reviewed:
    """What became of one feedback, and its status now (None where it does not exist).

    ``outcome``: ``done``; ``noted`` (the reviewer's word is kept, more have to agree); ``unchanged`` (it was so
    before); ``reserved`` by another reviewer; ``refused`` or ``unknown``. ``detail`` says why, ``code`` names it for
    programs: those of ``store.Decision``, ``reserved`` or ``own_feedback``.
    """

    feedback_id: str
    outcome: Outcome
    detail: str | None
    status: str | None
    code: str | None = None


def verify(
    store: Store,
    settings: Settings,
    feedback_ids: Iterable[str],
    *,
    reviewer: str,
    reason: str | None = None,
    override: bool = False,
    expected: str | None = None,
) -> list[Reviewed]:
    """Verify feedback; what has no verdict of today is checked first. Return one answer per distinct id.

    ``override`` verifies what fails its checks and needs a reason. ``expected`` is the status the reviewer saw.
    Raises ValueError without that reason or for a status that does not exist, and StoreUnavailableError.
    """
    if override and not (reason or "").strip():
        raise ValueError("an override needs a reason: say why the failed check does not count.")
    ids = list(dict.fromkeys(feedback_ids))
    failures = check_first(store, settings, ids)
    payload = {"override": True} if override else None
    decisions = _decide(store, settings, ids, Event.VERIFIED, reviewer, reason, expected, payload)
    in_use = [decision.feedback_id for decision in decisions if decision.outcome in ("done", "unchanged")]
    supersede_originals(store, in_use, reviewer=reviewer)
    return _reviewed(store, [_explained(decision, failures) for decision in decisions])


def reject(
    store: Store,
    settings: Settings,
    feedback_ids: Iterable[str],
    *,
    reviewer: str,
    reason: str,
    expected: str | None = None,
) -> list[Reviewed]:
    """Reject feedback: it is wrong. Arguments and errors are those of ``verify``; the reason is needed."""
    if not reason.strip():
        raise ValueError("a rejection needs a reason: whoever gave the feedback is told.")
    return _reviewed(store, _decide(store, settings, feedback_ids, Event.REJECTED, reviewer, reason, expected))


def supersede(
    store: Store,
    settings: Settings,
    feedback_ids: Iterable[str],
    *,
    reviewer: str,
    reason: str | None = None,
    expected: str | None = None,
) -> list[Reviewed]:
    """Supersede feedback: a newer answer to the same question takes its place. Arguments are those of ``verify``."""
    return _reviewed(store, _decide(store, settings, feedback_ids, Event.SUPERSEDED, reviewer, reason, expected))


def reopen(
    store: Store,
    settings: Settings,
    feedback_ids: Iterable[str],
    *,
    reviewer: str,
    reason: str | None = None,
    expected: str | None = None,
) -> list[Reviewed]:
    """Reopen feedback: it waits again, and earlier words of reviewers do not count. Arguments as for ``verify``."""
    return _reviewed(store, _decide(store, settings, feedback_ids, Event.REOPENED, reviewer, reason, expected))


def _decide(
    store: Store,
    settings: Settings,
    feedback_ids: Iterable[str],
    event: Event,
    reviewer: str,
    reason: str | None,
    expected: str | None,
    payload: Mapping[str, Any] | None = None,
) -> list[Decision]:
    permit = ReviewersWord(store, settings, event, reviewer=reviewer, reason=reason)
    return decide(
        store,
        feedback_ids,
        event,
        actor=reviewer,
        reason=reason,
        payload=None if payload is None else dict(payload),
        expected=expected,
        permit=permit,
    )


def check_first(store: Store, settings: Settings, ids: Iterable[str]) -> dict[str, str]:
    """Check what is pending and has no verdict of today; return which check each failed one fails, and why."""
    pending = stored_submissions(store, ids, status=Status.PENDING)
    checked = check_and_record(store, pending, checker_from(store, settings))
    rows = checked.select(["feedback_id", "failed_check", "checks"]).to_pylist()
    return {row["feedback_id"]: failure(row["failed_check"], row["checks"]) for row in rows if row["failed_check"]}


def failure(check: str, checks: str) -> str:
    """Name a failed check with what it says; ``checks`` is the evidence as JSON."""
    detail = json.loads(checks)[check].get("detail")
    return f"{check}: {detail}" if detail else check


def _explained(decision: Decision, failures: Mapping[str, str]) -> Decision:
    """Say which check stands in the way, where the store only knows that one does."""
    if decision.code != "checks_failed" or decision.feedback_id not in failures:
        return decision
    detail = f"It fails the check {failures[decision.feedback_id]}. {WAY_OUT}"
    return Decision(decision.feedback_id, "refused", detail, decision.code)


def _reviewed(store: Store, decisions: list[Decision]) -> list[Reviewed]:
    with store.read() as session:
        rows = rows_by_id(session, (decision.feedback_id for decision in decisions), FeedbackRow.status)
    status = {feedback_id: row.status for feedback_id, row in rows.items()}
    return [Reviewed(d.feedback_id, d.outcome, d.detail, status.get(d.feedback_id), d.code) for d in decisions]
