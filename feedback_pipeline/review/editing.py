"""Correct and verify in one step: what a reviewer can mend need not be rejected."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from feedback_pipeline.checking import checker_from, run_as_evidence
from feedback_pipeline.curation.check_tables import check_submissions
from feedback_pipeline.review.deciding import WAY_OUT, failure, verify
from feedback_pipeline.review.edits import SOURCE, edit_key, supersede_by
from feedback_pipeline.schemas import SUBMISSIONS
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Event,
    IllegalTransitionError,
    Status,
    Store,
    Submission,
    UnknownFeedbackError,
    submit_many,
)
from feedback_pipeline.store.decisions import Outcome
from feedback_pipeline.store.events import rows_by_id, utc_now
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.reservations import held, standing
from feedback_pipeline.store.transitions import ALLOWED_FROM

_READ = (
    *(FeedbackRow.status, FeedbackRow.database_id, FeedbackRow.natural_query, FeedbackRow.generated_sql),
    *(FeedbackRow.corrected_sql, FeedbackRow.interaction_id, FeedbackRow.user_hash),
)
_EDITABLE = ALLOWED_FROM[Event.SUPERSEDED] | {Status.SUPERSEDED}
"""What was superseded may be edited again: the same edit once more finishes what was interrupted."""


@dataclass(frozen=True)
class Edited:
    """What became of an edit. ``feedback_id`` is the new feedback, None where none was made.

    ``outcome``, ``detail`` and ``code`` are those of ``deciding.Reviewed``, about the new feedback.
    """

    original_id: str
    feedback_id: str | None
    outcome: Outcome
    detail: str | None
    code: str | None = None


def edit_and_verify(
    store: Store,
    settings: Settings,
    feedback_id: str,
    *,
    reviewer: str,
    corrected_sql: str,
    natural_query: str | None = None,
    reason: str | None = None,
    override: bool = False,
) -> Edited:
    """Give feedback a better answer, and question where one is given, verify that, and supersede the original.

    The new feedback belongs to the user who gave the original, so that opting out and erasure reach it. Where its
    checks fail nothing is stored, unless ``override`` and ``reason`` say so. The same edit again finishes what was
    interrupted.

    Raises UnknownFeedbackError, ValueError (an override without reason) and StoreUnavailableError.
    """
    if override and not (reason or "").strip():
        raise ValueError("an override needs a reason: say why the failed check does not count.")
    edit, obstacle = _prepared(store, feedback_id, corrected_sql, natural_query, reviewer)
    if obstacle is None and not override:
        obstacle = _failure(store, settings, edit)
    if obstacle is not None:
        return obstacle
    [stored] = submit_many(store, [edit])
    if stored.opted_out:
        return Edited(feedback_id, None, "refused", "Whoever gave it has opted out.", "opted_out")
    [reviewed] = verify(store, settings, [stored.feedback_id], reviewer=reviewer, reason=reason, override=override)
    if reviewed.outcome in ("done", "unchanged"):
        supersede_by(store, feedback_id, stored.feedback_id, reviewer=reviewer)
    return Edited(feedback_id, stored.feedback_id, reviewed.outcome, reviewed.detail, reviewed.code)


def _prepared(
    store: Store, original_id: str, corrected_sql: str, natural_query: str | None, reviewer: str
) -> tuple[Submission, Edited | None]:
    """Return the edit as it will be stored, and what stands in its way. Raises UnknownFeedbackError."""
    with store.read() as session:
        original = rows_by_id(session, [original_id], *_READ).get(original_id)
        if original is None:
            raise UnknownFeedbackError(original_id)
        reservation = standing(session, [original_id]).get(original_id)
    edit = _edit(original, corrected_sql, natural_query)
    if reservation is not None and reservation.reviewer != reviewer:
        return edit, Edited(original_id, None, "reserved", held(reservation), "reserved")
    if (edit.natural_query, edit.corrected_sql) == (original.natural_query, original.corrected_sql):
        return edit, Edited(original_id, None, "refused", "The edit changes nothing: verify it as it is.", "no_change")
    if original.status not in _EDITABLE:
        error = IllegalTransitionError(original_id, original.status, Event.SUPERSEDED)
        return edit, Edited(original_id, None, "refused", str(error), "illegal_transition")
    return edit, None


def _edit(original: Any, corrected_sql: str, natural_query: str | None) -> Submission:
    question = original.natural_query if natural_query is None else natural_query
    return Submission(
        database_id=original.database_id,
        natural_query=question,
        generated_sql=original.generated_sql,
        corrected_sql=corrected_sql,
        user_hash=original.user_hash,
        client_key=edit_key(original.feedback_id, question, corrected_sql),
        source=SOURCE,
        interaction_id=original.interaction_id,
    )


def _failure(store: Store, settings: Settings, edit: Submission) -> Edited | None:
    """Check an edit before it is stored; return what it fails."""
    names = [name for name in SUBMISSIONS.names if name not in ("feedback_id", "created_at")]
    row = {name: getattr(edit, name) for name in names}
    table = pa.Table.from_pylist([{**row, "feedback_id": "", "created_at": utc_now()}], SUBMISSIONS)
    checker = checker_from(store, settings)
    [checked] = run_as_evidence(check_submissions(table, checker), checker).to_pylist()
    if checked["passed"]:
        return None
    original_id = (edit.client_key or "").split("/")[0]
    detail = f"The edit fails the check {failure(checked['failed_check'], checked['checks'])}. {WAY_OUT}"
    return Edited(original_id, None, "refused", detail, "checks_failed")
