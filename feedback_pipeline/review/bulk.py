"""Verifying many at once: the same rules as ``policy.verify_passing``, an answer for every single one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from feedback_pipeline.curation.consensus import CONFLICT, FAILED
from feedback_pipeline.policy import BulkReport, Progress, silently, verify_passing
from feedback_pipeline.review.edits import supersede_originals
from feedback_pipeline.review.permission import ReviewersWord
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Decision, Event, Status, Store, UnknownFeedbackError
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.review_queue import QueueFilter, all_ids

DEFAULT_REASON = "verified in bulk: all checks passed"

Result = Literal["verified", "skipped", "conflict", "failed"]


@dataclass(frozen=True)
class BulkResult:
    """What became of one feedback: ``conflict`` contradicts another answer, ``failed`` its checks, or is unknown.

    ``skipped`` does not wait any more, or waits for a person to look at it, or for another reviewer.
    """

    feedback_id: str
    result: Result
    reason: str | None


def bulk_verify(
    store: Store,
    settings: Settings,
    *,
    reviewer: str,
    feedback_ids: Iterable[str] | None = None,
    wanted: QueueFilter | None = None,
    databases: frozenset[str] | None = None,
    reason: str | None = None,
    dry_run: bool = False,
    progress: Progress = silently,
) -> list[BulkResult]:
    """Verify what passes of ``feedback_ids``, or of what matches ``wanted``; return a result for each, by id.

    What a person should look at is skipped: flags, bursts, low ratings, too much from one user. Feedback outside
    ``databases`` counts as unknown. A dry run decides nothing and says what would be. Raises ValueError unless exactly
    one of both is given, and StoreUnavailableError.
    """
    if (feedback_ids is None) == (wanted is None):
        raise ValueError("name either feedback ids or a filter.")
    ids = list(dict.fromkeys(feedback_ids)) if feedback_ids is not None else _matching(store, wanted or QueueFilter())
    found = _statuses(store, ids, databases)
    waiting = [i for i in ids if found.get(i) == Status.PENDING]
    why = (reason or "").strip() or DEFAULT_REASON
    report = verify_passing(
        store,
        settings,
        actor=reviewer,
        reason=why,
        only=waiting,
        dry_run=dry_run,
        permit=ReviewersWord(store, settings, Event.VERIFIED, reviewer=reviewer, reason=why),
        progress=progress,
    )
    results = _results(report)
    supersede_originals(
        store, (i for i, r in results.items() if r.result == "verified" and not dry_run), reviewer=reviewer
    )
    return [results.get(i) or _not_waiting(i, found.get(i)) for i in sorted(ids)]


def _matching(store: Store, wanted: QueueFilter) -> list[str]:
    with store.read() as session:
        return all_ids(session, wanted)


def _statuses(store: Store, ids: list[str], databases: frozenset[str] | None) -> Mapping[str, str]:
    with store.read() as session:
        rows = rows_by_id(session, ids, FeedbackRow.status, FeedbackRow.database_id)
    return {i: row.status for i, row in rows.items() if databases is None or row.database_id in databases}


def _results(report: BulkReport) -> dict[str, BulkResult]:
    results = {i: BulkResult(i, "verified", None) for i in report.selected}
    results |= {decision.feedback_id: _decided(decision) for decision in report.decisions}
    return results | {i: BulkResult(i, _result_of(why), why) for i, why in report.left_out.items()}


def _decided(decision: Decision) -> BulkResult:
    if decision.outcome == "done":
        return BulkResult(decision.feedback_id, "verified", None)
    result = "failed" if decision.outcome == "unknown" else "skipped"
    return BulkResult(decision.feedback_id, result, decision.detail)


def _result_of(reason: str) -> Result:
    if reason == CONFLICT:
        return "conflict"
    return "failed" if reason.startswith(FAILED) else "skipped"


def _not_waiting(feedback_id: str, status: str | None) -> BulkResult:
    if status is None:
        return BulkResult(feedback_id, "failed", str(UnknownFeedbackError(feedback_id)))
    detail = "decided by someone else meanwhile" if status == Status.PENDING else f"it is {status}"
    return BulkResult(feedback_id, "skipped", detail)
