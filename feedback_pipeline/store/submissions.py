"""Feedback comes in: stored once whatever happens, under ids that are the same for the same import."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils
from sqlalchemy import insert
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import append_events, event_row, utc_now
from feedback_pipeline.store.interactions import require_interactions
from feedback_pipeline.store.lookups import Key, ids_by_key
from feedback_pipeline.store.models import FeedbackRow
from feedback_pipeline.store.opt_outs import opted_out_of
from feedback_pipeline.store.transitions import Event, Status
from feedback_pipeline.store.types import require_zone

TIMESTAMP_BITS = (1 << 48) - 1
RANDOM_BITS = (1 << 62) - 1


@dataclass(frozen=True)
class Submission:
    """One piece of feedback as it arrives; whoever accepts it has validated its contents.

    ``user_id`` is the raw id and is hashed on storing; ``user_hash`` stands for it where only the hash is known.
    ``client_key`` is the sender's own key: the same (source, client_key) is stored once. ``source`` is
    ``user_feedback``, ``manual``, ``import`` or any other label. ``created_at`` is the source's own time, aware;
    default: now.
    """

    database_id: str
    natural_query: str
    generated_sql: str | None = None
    corrected_sql: str | None = None
    rating: int | None = None
    comment: str | None = None
    user_id: str | None = None
    client_key: str | None = None
    source: str = "user_feedback"
    interaction_id: int | None = None
    created_at: datetime | None = None
    user_hash: str | None = None

    @property
    def key(self) -> Key | None:
        """What makes it the same submission as another; None where the sender gave no key."""
        return None if self.client_key is None else (self.source, self.client_key)


@dataclass(frozen=True)
class Submitted:
    """Where a submission went; ``created`` is False when it had been stored before.

    ``opted_out``: its user wants nothing stored, so it was not, and ``feedback_id`` is empty.
    """

    feedback_id: str
    created: bool
    opted_out: bool = False


_REFUSED = Submitted("", created=False, opted_out=True)


def submit_many(
    store: Store, submissions: Iterable[Submission], *, guard: Callable[[Session], None] | None = None
) -> list[Submitted]:
    """Store ``submissions`` as pending in one transaction and return where each went, in their order.

    Those whose (source, client_key) is known, from before or from earlier in the same batch, change nothing. Those of
    users who have opted out are not stored. ``guard`` is called in the transaction, under its lock, before anything is
    stored: what it raises keeps everything out.
    Raises UnknownInteractionError for an interaction that does not exist and ValueError for a time without
    zone; nothing is stored then.
    """
    submissions = list(submissions)
    for item in submissions:
        require_zone(f"submission {item.client_key or repr(item.natural_query[:60])}", created_at=item.created_at)
    with store.begin() as session:
        lock(session, "events")
        if guard:
            guard(session)
        users = [user_hash_of(store, item) for item in submissions]
        unwanted = opted_out_of(session, users)
        wanted = [(item, user) for item, user in zip(submissions, users, strict=True) if user not in unwanted]
        require_interactions(session, (item.interaction_id for item, _ in wanted))
        known = ids_by_key(session, FeedbackRow, FeedbackRow.feedback_id, (i.key for i, _ in wanted if i.key))
        stored, rows = _assign_ids(wanted, known)
        if rows:
            session.connection().execute(insert(FeedbackRow), rows)
        events = [
            event_row(row["feedback_id"], Event.SUBMITTED, row["updated_at"], actor=row["source"]) for row in rows
        ]
        append_events(session, events)
    in_order = iter(stored)
    return [_REFUSED if user in unwanted else next(in_order) for user in users]


def user_hash_of(store: Store, item: Submission) -> str | None:
    """Return whose submission it is, as it is stored; None where nobody knows."""
    return item.user_hash if item.user_id is None else store.hash_user(item.user_id)


def _assign_ids(
    submissions: list[tuple[Submission, str | None]], known: dict[Key, str]
) -> tuple[list[Submitted], list[dict[str, Any]]]:
    """Return where each submission (with the hash of its user) goes, and the rows of the new ones."""
    now = utc_now()
    results, rows = [], []
    for item, user_hash in submissions:
        if item.key in known:
            results.append(Submitted(known[item.key], created=False))
            continue
        row = submission_row(item, user_hash, now)
        rows.append(row)
        results.append(Submitted(row["feedback_id"], created=True))
        if item.key:
            known[item.key] = row["feedback_id"]
    return results, rows


def submission_row(item: Submission, user_hash: str | None, now: datetime) -> dict[str, Any]:
    """Return the row under which ``item`` is stored as pending."""
    return {
        "feedback_id": feedback_id_of(item),
        "interaction_id": item.interaction_id,
        "database_id": item.database_id,
        "natural_query": item.natural_query,
        "generated_sql": item.generated_sql,
        "corrected_sql": item.corrected_sql,
        "rating": item.rating,
        "comment": item.comment,
        "user_hash": user_hash,
        "source": item.source,
        "client_key": item.client_key,
        "status": Status.PENDING.value,
        "created_at": item.created_at or now,
        "updated_at": now,
    }


def feedback_id_of(item: Submission) -> str:
    """Return the UUIDv7 under which ``item`` is stored when it is new.

    With both ``client_key`` and ``created_at`` it follows from them, so that the same import into two empty
    stores gives the same ids: RFC 9562 fixes the 48 bits of Unix milliseconds, version and variant, and
    leaves the other 74 to us.
    """
    if item.client_key is None or item.created_at is None:
        return str(uuid_utils.uuid7())
    digest = hashlib.sha256(f"{item.source}\0{item.client_key}".encode("utf-8", "surrogatepass")).digest()
    random = int.from_bytes(digest[:10], "big") >> 6
    milliseconds = max(0, int(item.created_at.timestamp() * 1000)) & TIMESTAMP_BITS
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | random >> 62 << 64 | 0b10 << 62 | random & RANDOM_BITS))
