"""A reviewer's better version of a feedback: a feedback of its own that takes the place of the original.

Whose edit it is can be read from its ``client_key``, ``<id of the original>/<digest of the new texts>``: so the same
edit twice is one, and an interrupted one is finished by whoever verifies it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from feedback_pipeline.store import Decision, Event, Store, decide
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.store.reservations import release_all

SOURCE = "review_edit"
REASON = "a reviewer's edit takes its place"


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


def _release(session: Session, ids: list[str]) -> Mapping[str, Decision]:
    release_all(session, ids)
    return {}


def _open_originals(store: Store, feedback_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return (original, edit) where the original has not been superseded by this edit before."""
    with store.read() as session:
        rows = rows_by_id(session, feedback_ids, FeedbackRow.source, FeedbackRow.client_key)
        edits = {i: row.client_key.split("/")[0] for i, row in rows.items() if row.source == SOURCE and row.client_key}
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
