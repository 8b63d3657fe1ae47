"""A reviewer's better version of a feedback: a feedback of its own that takes the place of the original.

Whose edit it is can be read from its ``client_key``, ``<id of the original>/<digest of the new texts>``: so the same
edit twice is one, and an interrupted one is finished by whoever verifies it. Of several edits of one original the first
that is verified takes its place, in one transaction; what waits of the others is superseded with it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from feedback_pipeline.store import Decision, Event, Status, Store, decide
from feedback_pipeline.store.edits import EDIT_SOURCE, original_in
from feedback_pipeline.store.events import append_events, event_row, rows_by_id, utc_now
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.store.reservations import release_all
from feedback_pipeline.store.transitions import ALLOWED_FROM

SOURCE = EDIT_SOURCE
REASON = "a reviewer's edit takes its place"
OPEN = ALLOWED_FROM[Event.SUPERSEDED]
"""The statuses in which an original can be edited."""


def edit_key(original_id: str, natural_query: str, corrected_sql: str) -> str:
    """Return the ``client_key`` of an edit."""
    digest = hashlib.sha256(f"{natural_query}\0{corrected_sql}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{original_id}/{digest[:32]}"


def supersede_originals(store: Store, feedback_ids: Iterable[str], *, reviewer: str) -> None:
    """Supersede what verified edits among ``feedback_ids`` take the place of, each once."""
    for original_id, edit_id in _open_originals(store, feedback_ids):
        supersede_by(store, original_id, edit_id, reviewer=reviewer)


def supersede_by(store: Store, original_id: str, edit_id: str, *, reviewer: str) -> None:
    """Supersede an original that still stands by its edit; one that was decided otherwise stays as it is."""
    payload = {"superseded_by": edit_id}
    decide(store, [original_id], Event.SUPERSEDED, actor=reviewer, reason=REASON, payload=payload, permit=_release)


def lost_originals(session: Session, feedback_ids: Iterable[str]) -> dict[str, Decision]:
    """Return the answer for those edits among ``feedback_ids`` whose original cannot be had any more."""
    originals = _originals(session, feedback_ids)
    rows = rows_by_id(session, originals.values(), FeedbackRow.status)
    present = {edit: rows[original].status if original in rows else None for edit, original in originals.items()}
    return {
        edit: moved_on(edit, status)
        for edit, status in present.items()
        if status not in OPEN and not (status == Status.SUPERSEDED and taken_by(session, originals[edit]) == edit)
    }


def take_originals(session: Session, feedback_ids: Iterable[str], *, reviewer: str) -> dict[str, Decision]:
    """Supersede what the edits among ``feedback_ids`` take the place of; return answers for those that come too late.

    The caller verifies the others in the same transaction, under the lock ``events``.
    """
    answers: dict[str, Decision] = {}
    for edit, original in sorted(_originals(session, feedback_ids).items()):
        lost = lost_originals(session, [edit])
        answers |= lost
        if not lost:
            rivals = FeedbackRow.client_key.startswith(f"{original}/", autoescape=True)
            others = (FeedbackRow.source == SOURCE, FeedbackRow.feedback_id != edit, rivals)
            _supersede(session, (FeedbackRow.feedback_id == original, FeedbackRow.status.in_(OPEN)), edit, reviewer)
            _supersede(session, (*others, FeedbackRow.status == Status.PENDING.value), edit, reviewer)
    return answers


def moved_on(feedback_id: str, status: str | None) -> Decision:
    """Return the answer for an edit whose original somebody else has decided meanwhile."""
    detail = f"Someone else made the original {status or 'disappear'} meanwhile: look again."
    return Decision(feedback_id, "refused", detail, "moved_on")


def taken_by(session: Session, original_id: str) -> str | None:
    """Return the feedback that last superseded an original; None where no edit did."""
    superseded = FeedbackEventRow.feedback_id == original_id, FeedbackEventRow.event == Event.SUPERSEDED.value
    query = select(FeedbackEventRow.payload).where(*superseded).order_by(FeedbackEventRow.event_seq.desc())
    return (session.scalars(query.limit(1)).first() or {}).get("superseded_by")


def _originals(session: Session, feedback_ids: Iterable[str]) -> dict[str, str]:
    rows = rows_by_id(session, feedback_ids, FeedbackRow.source, FeedbackRow.client_key)
    return {i: original_in(row.client_key) for i, row in rows.items() if row.source == SOURCE and row.client_key}


def _supersede(session: Session, which: Iterable[ColumnElement[bool]], by: str, reviewer: str) -> None:
    now = utc_now()
    values = {"status": Status.SUPERSEDED.value, "status_reason": REASON, "updated_at": now}
    statement = update(FeedbackRow).where(*which).values(values).returning(FeedbackRow.feedback_id)
    ids = sorted(session.connection().execute(statement).scalars())
    told = {"actor": reviewer, "reason": REASON, "payload": {"superseded_by": by}}
    append_events(session, [event_row(i, Event.SUPERSEDED, now, **told) for i in ids])
    release_all(session, ids)


def _release(session: Session, ids: list[str]) -> Mapping[str, Decision]:
    release_all(session, ids)
    return {}


def _open_originals(store: Store, feedback_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return (original, edit) where the original has not been superseded by this edit before."""
    with store.read() as session:
        edits = _originals(session, feedback_ids)
        done = _superseded_by(session, edits.values())
    return [(original, edit) for edit, original in sorted(edits.items()) if edit not in done[original]]


def _superseded_by(session: Session, originals: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    query = select(FeedbackEventRow.feedback_id, FeedbackEventRow.payload)
    superseded = FeedbackEventRow.event == Event.SUPERSEDED.value
    for ids in batches(sorted(set(originals))):
        of_these = among(session, FeedbackEventRow.feedback_id, ids)
        for original_id, payload in session.execute(query.where(superseded, of_these)):
            found[original_id].add((payload or {}).get("superseded_by") or "")
    return found
