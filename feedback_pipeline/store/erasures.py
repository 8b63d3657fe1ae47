"""The journal of erasures: asked for once, carried out in steps, finished by whoever comes next if one is killed.

Raw user ids do not get in here either. What an entry names (ids of records, never their texts) is found before
anything is removed, so that every later step knows what to look for although the records are gone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import uuid_utils
from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.events import utc_now
from feedback_pipeline.store.models import ErasureRow, FeedbackRow, InteractionRow
from feedback_pipeline.store.opt_outs import given_by, lock_intake, note_opt_out, withdraw_all

OPEN, DONE = "open", "done"
WITHDRAWN, KEPT = "withdrawn", "kept"
REASON = "erased"
SEARCHED = "searched"
BY_IDS_ALONE = "by_ids_alone"
_IDS = ("feedback_ids", "interaction_ids", "example_ids")
_LAST_DONE = (
    select(ErasureRow.erasure_id, ErasureRow.found)
    .where(ErasureRow.state == DONE)
    .order_by(ErasureRow.finished_at.desc(), ErasureRow.erasure_id.desc())
    .limit(1)
)


@dataclass(frozen=True)
class Erasure:
    """One entry of the journal.

    Attributes:
        erasure_id: names it, and its receipt.
        user_hash: whose data.
        state: ``open`` until a search for leftovers has found none, then ``done``.
        consent: ``withdrawn`` where the user is opted out as well, else ``kept``.
        found: record ids (``feedback_ids``, ``interaction_ids``, ``example_ids``) and, per place, what it held.
        progress: what each finished step removed, by place.
        receipt: the last receipt, if there is one.
        requested_at: when it was asked for.
        finished_at: when it was done.
    """

    erasure_id: str
    user_hash: str
    state: str
    consent: str
    found: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    receipt: dict[str, Any] | None = None
    requested_at: datetime | None = None
    finished_at: datetime | None = None


def request_erasure(store: Store, user_hash: str, *, keep_consent: bool = False) -> Erasure:
    """Open an entry for a user, or take up the open one, and withdraw what they gave so that no run uses it again.

    Unless ``keep_consent``, the user is opted out too: else the next import of the same file brings all of it back.
    All in one transaction.
    """
    with store.begin() as session:
        lock_intake(session)
        if not keep_consent:
            note_opt_out(session, user_hash)
        mine = ErasureRow.user_hash == user_hash
        row = session.scalar(select(ErasureRow).where(mine, ErasureRow.state == OPEN))
        row = row or ErasureRow(erasure_id=str(uuid_utils.uuid7()), requested_at=utc_now(), state=OPEN, progress={})
        row.user_hash, row.consent = user_hash, KEPT if keep_consent else WITHDRAWN
        ids = _record_ids(session, user_hash)
        found = row.found or {}
        if BY_IDS_ALONE in found or not ids.items() <= found.items():
            # What came in since then was not looked for: from the beginning.
            row.found, row.progress = ids, {}
        session.add(row)
        withdraw_all(session, user_hash, REASON)
        session.flush()
        return _erasure(row)


def records_of(store: Store, user_hash: str) -> dict[str, list[Any]]:
    """Return ``feedback_ids`` and ``interaction_ids`` of a user, those of earlier erasures too."""
    with store.read() as session:
        return _record_ids(session, user_hash)


def any_open_erasure(store: Store) -> bool:
    """Tell, with one cheap query, whether an erasure waits to be finished."""
    with store.read() as session:
        return bool(session.scalar(select(exists().where(ErasureRow.state == OPEN))))


def open_erasures(store: Store) -> list[Erasure]:
    """Return the entries that are not done, oldest first."""
    query = select(ErasureRow).where(ErasureRow.state == OPEN).order_by(ErasureRow.requested_at, ErasureRow.erasure_id)
    with store.read() as session:
        return [_erasure(row) for row in session.scalars(query)]


def get_erasure(store: Store, erasure_id: str) -> Erasure:
    """Return one entry. Raises LookupError where there is none."""
    with store.read() as session:
        row = session.get(ErasureRow, erasure_id)
        if row is None:
            raise LookupError(f"no erasure has the id {erasure_id}")
        return _erasure(row)


def erasures_of(store: Store, user_hash: str) -> list[Erasure]:
    """Return all entries of a user, oldest first."""
    query = select(ErasureRow).where(ErasureRow.user_hash == user_hash)
    with store.read() as session:
        return [_erasure(row) for row in session.scalars(query.order_by(ErasureRow.requested_at))]


def last_search(store: Store) -> tuple[str, set[str]] | None:
    """Return the erasure done last and what was searched for remains since; None if none has ever been done.

    One cheap query.
    """
    with store.read() as session:
        row = session.execute(_LAST_DONE).first()
    return None if row is None else (row.erasure_id, set((row.found or {}).get(SEARCHED, [])))


def note_search(store: Store, erasure_id: str, searched: list[str]) -> None:
    """Write down, with the erasure done last, that nothing erased stands in what ``searched`` names.

    It holds until another erasure is done; if one has been done since, it does not hold any more.
    """
    with store.begin() as session:
        row = session.execute(_LAST_DONE).first()
        if row is not None and row.erasure_id == erasure_id:
            found = {**(row.found or {}), SEARCHED: searched}
            session.execute(update(ErasureRow).where(ErasureRow.erasure_id == row.erasure_id).values(found=found))


def erased_feedback(store: Store) -> dict[str, list[str]]:
    """Return the ids of the feedback that each finished erasure removed."""
    with store.read() as session:
        rows = session.execute(select(ErasureRow.erasure_id, ErasureRow.found).where(ErasureRow.state == DONE))
        return {row.erasure_id: (row.found or {}).get("feedback_ids", []) for row in rows}


def erased_interactions(store: Store) -> dict[str, list[int]]:
    """Return the ids of the interactions that each finished erasure removed; they are never given again."""
    with store.read() as session:
        rows = session.execute(select(ErasureRow.erasure_id, ErasureRow.found).where(ErasureRow.state == DONE))
        return {row.erasure_id: (row.found or {}).get("interaction_ids", []) for row in rows}


def reopen(store: Store, erasure_ids: Iterable[str]) -> None:
    """Open finished entries again because something came back; what they look for are ids, and no longer the user.

    The user may have given something new since, with consent.
    """
    with store.begin() as session:
        for row in session.scalars(select(ErasureRow).where(ErasureRow.erasure_id.in_(sorted(erasure_ids)))):
            found = row.found or {}
            row.found = {**{name: found.get(name, []) for name in _IDS}, BY_IDS_ALONE: True}
            row.state, row.progress, row.finished_at = OPEN, {}, None


def note_found(store: Store, erasure_id: str, found: dict[str, Any]) -> None:
    """Write down what was found, before the first of it is removed."""
    _write(store, erasure_id, found=found)


def note_progress(store: Store, erasure_id: str, progress: dict[str, Any]) -> None:
    """Write down which steps are finished and what they removed."""
    _write(store, erasure_id, progress=progress)


def close_erasure(store: Store, erasure_id: str, receipt: dict[str, Any], *, done: bool) -> None:
    """Store the receipt. An erasure that is not ``done`` begins again at the first step when it is next taken up."""
    closed = {"state": DONE, "finished_at": utc_now()} if done else {"progress": {}}
    _write(store, erasure_id, receipt=receipt, **closed)


def _write(store: Store, erasure_id: str, **values: Any) -> None:
    with store.begin() as session:
        session.execute(update(ErasureRow).where(ErasureRow.erasure_id == erasure_id).values(**values))


def _record_ids(session: Session, user_hash: str) -> dict[str, list[Any]]:
    """Return what the store holds of the user now, and what earlier entries of the journal name."""
    earlier = session.scalars(select(ErasureRow.found).where(ErasureRow.user_hash == user_hash))
    known = [found for found in earlier if found]
    interactions = select(InteractionRow.interaction_id).where(InteractionRow.user_hash == user_hash)
    return {
        "feedback_ids": _union(
            session.scalars(select(FeedbackRow.feedback_id).where(given_by(user_hash))), known, "feedback_ids"
        ),
        "interaction_ids": _union(session.scalars(interactions), known, "interaction_ids"),
    }


def _union(present: Iterable[Any], earlier: list[dict[str, Any]], name: str) -> list[Any]:
    return sorted({*present, *(record_id for found in earlier for record_id in found.get(name, []))})


def _erasure(row: ErasureRow) -> Erasure:
    return Erasure(
        row.erasure_id,
        row.user_hash,
        row.state,
        row.consent,
        row.found or {},
        row.progress or {},
        row.receipt,
        row.requested_at,
        row.finished_at,
    )
