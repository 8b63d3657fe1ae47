"""Correct and verify in one step: what a reviewer can mend need not be rejected."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from feedback_pipeline.checking import checker_from, run_as_evidence
from feedback_pipeline.curation.check_tables import check_submissions
from feedback_pipeline.review.deciding import WAY_OUT, Reviewed, failure, verify
from feedback_pipeline.review.edits import (
    OPEN,
    SOURCE,
    edit_key,
    lost_originals,
    moved_on,
    supersede_by,
    taken_by,
)
from feedback_pipeline.schemas import SUBMISSIONS
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Event,
    IllegalTransitionError,
    Status,
    Store,
    Submission,
    UnknownFeedbackError,
    decide,
    submit_many,
)
from feedback_pipeline.store.decisions import Outcome
from feedback_pipeline.store.events import rows_by_id, utc_now
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.reservations import held, standing

_READ = (
    *(FeedbackRow.status, FeedbackRow.database_id, FeedbackRow.natural_query, FeedbackRow.generated_sql),
    *(FeedbackRow.corrected_sql, FeedbackRow.interaction_id, FeedbackRow.user_hash),
)
_TOO_LATE = "its original was decided otherwise"


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


class _ObstacleError(Exception):
    """Something stands in the way of an edit since it was looked at."""

    def __init__(self, answer: Edited):
        super().__init__(answer.detail)
        self.answer = answer


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
    expected: str | None = None,
) -> Edited:
    """Give feedback a better answer, and question where one is given, verify that, and supersede the original.

    The new feedback belongs to the user who gave the original, so that opting out and erasure reach it. Where its
    checks fail nothing is stored, unless ``override`` and ``reason`` say so. The same edit again finishes what was
    interrupted. ``expected`` is the status the reviewer saw. Of several edits of one original one is verified; the
    others are refused (``moved_on``), and so is any other edit of what has been superseded.

    Raises UnknownFeedbackError, ValueError (an override without reason) and StoreUnavailableError.
    """
    if override and not (reason or "").strip():
        raise ValueError("an override needs a reason: say why the failed check does not count.")
    with store.read() as session:
        edit = _edit(_original(session, feedback_id), corrected_sql, natural_query)
        obstacle = _obstacle(session, feedback_id, edit, reviewer, expected)
    if obstacle is None and not override:
        obstacle = _failure(store, settings, edit)
    if obstacle is not None:
        return obstacle
    try:
        [stored] = submit_many(
            store, [edit], guard=lambda session: _require(session, feedback_id, edit, reviewer, expected)
        )
    except _ObstacleError as error:
        return error.answer
    if stored.opted_out:
        return Edited(feedback_id, None, "refused", "Whoever gave it has opted out.", "opted_out")
    [reviewed] = verify(store, settings, [stored.feedback_id], reviewer=reviewer, reason=reason, override=override)
    if reviewed.outcome == "unchanged":
        supersede_by(store, feedback_id, stored.feedback_id, reviewer=reviewer)
    return _outcome(store, feedback_id, reviewed, reviewer)


def _outcome(store: Store, original_id: str, reviewed: Reviewed, reviewer: str) -> Edited:
    """Return what became of an edit; one that came too late does not wait for anybody."""
    with store.read() as session:
        lost = lost_originals(session, [reviewed.feedback_id]) if reviewed.outcome == "refused" else {}
    if not lost:
        return Edited(original_id, reviewed.feedback_id, reviewed.outcome, reviewed.detail, reviewed.code)
    decide(store, lost, Event.SUPERSEDED, actor=reviewer, reason=_TOO_LATE, expected=Status.PENDING)
    return Edited(original_id, None, "refused", lost[reviewed.feedback_id].detail, "moved_on")


def _original(session: Session, original_id: str) -> Any:
    """Return what is edited. Raises UnknownFeedbackError."""
    original = rows_by_id(session, [original_id], *_READ).get(original_id)
    if original is None:
        raise UnknownFeedbackError(original_id)
    return original


def _require(session: Session, original_id: str, edit: Submission, reviewer: str, expected: str | None) -> None:
    """Raise _ObstacleError or UnknownFeedbackError where something stands in the way by now."""
    obstacle = _obstacle(session, original_id, edit, reviewer, expected)
    if obstacle is not None:
        raise _ObstacleError(obstacle)


def _obstacle(
    session: Session, original_id: str, edit: Submission, reviewer: str, expected: str | None
) -> Edited | None:
    """Return what stands in the way of an edit. Raises UnknownFeedbackError."""
    original = _original(session, original_id)
    reservation = standing(session, [original_id]).get(original_id)
    if reservation is not None and reservation.reviewer != reviewer:
        return Edited(original_id, None, "reserved", held(reservation), "reserved")
    if (edit.natural_query, edit.corrected_sql) == (original.natural_query, original.corrected_sql):
        return Edited(original_id, None, "refused", "The edit changes nothing: verify it as it is.", "no_change")
    return _moved(session, original, edit, expected)


def _moved(session: Session, original: Any, edit: Submission, expected: str | None) -> Edited | None:
    """Return the answer where the original is not, or no longer, to be edited: but the same edit again is finished."""
    original_id, status = original.feedback_id, original.status
    if status == Status.SUPERSEDED and _key_of(session, taken_by(session, original_id)) == edit.client_key:
        return None
    if status == Status.SUPERSEDED or (expected is not None and status != expected):
        return Edited(original_id, None, "refused", moved_on(original_id, status).detail, "moved_on")
    if status not in OPEN:
        error = IllegalTransitionError(original_id, status, Event.SUPERSEDED)
        return Edited(original_id, None, "refused", str(error), "illegal_transition")
    return None


def _key_of(session: Session, feedback_id: str | None) -> str | None:
    return session.scalar(select(FeedbackRow.client_key).where(FeedbackRow.feedback_id == feedback_id))


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
