"""What comes in one by one over an interface: stored once for its key, and only about what exists for its sender."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import append_events, event_row, utc_now
from feedback_pipeline.store.interactions import (
    CHILDREN,
    NOT_STORED,
    Interaction,
    UnknownInteractionError,
    insert_interactions,
    interaction_row,
    validate,
)
from feedback_pipeline.store.models import FeedbackRow, InteractionRow
from feedback_pipeline.store.opt_outs import OptedOutError, opted_out_of
from feedback_pipeline.store.ratings import Speaker, existing_for
from feedback_pipeline.store.submissions import Submission, submission_row, user_hash_of
from feedback_pipeline.store.transitions import Event

OF_SUBMISSION = (
    *("database_id", "natural_query", "generated_sql", "corrected_sql", "rating", "comment"),
    "interaction_id",
)
OF_INTERACTION = (
    *("kind", "database_id", "natural_query", "output", "model", "user_hash", "trace_id"),
    "retrieval_id",
)
"""What must be the same for the same key, besides chunks and examples; ratings come and go."""

_SUBMISSION = [getattr(FeedbackRow, name) for name in (*OF_SUBMISSION, "feedback_id", "status", "created_at")]
_INTERACTION = [getattr(InteractionRow, name) for name in (*OF_INTERACTION, "interaction_id")]


class KeyReusedError(ValueError):
    """A sender used a key again for something else; nothing was stored."""

    def __init__(self, what: str):
        super().__init__(
            f"This key was used before, for another {what}: send the same key with the same content only, and a new "
            "key with new content."
        )


@dataclass(frozen=True)
class Entry:
    """A submission as it stands now; ``replayed`` where the same key had brought it before."""

    feedback_id: str
    status: str
    created_at: datetime
    replayed: bool = False


class OtherDatabaseError(ValueError):
    """A submission is about one database, and the answer it refers to about another."""

    def __init__(self, interaction_id: int):
        super().__init__(
            f"is not the database of interaction {interaction_id}: name that one, or leave the interaction out"
        )


@dataclass(frozen=True)
class Recorded:
    """Where an interaction went; ``replayed`` where the same key had brought it before.

    ``stored`` is False where its user has opted out; ``interaction_id`` is NOT_STORED then.
    """

    interaction_id: int
    stored: bool = True
    replayed: bool = False


def submit_once(store: Store, item: Submission, *, databases: frozenset[str] | None = None) -> Entry:
    """Store one submission as pending as it comes in over an interface, and return where it stands.

    An interaction it names must exist for its user and ``databases`` (see ``Speaker``). Raises OptedOutError,
    UnknownInteractionError, OtherDatabaseError, and KeyReusedError where its key brought another submission before.
    """
    user_hash = user_hash_of(store, item)
    with store.begin() as session:
        lock(session, "events")
        if opted_out_of(session, [user_hash]):
            raise OptedOutError("This user has opted out: nothing was stored.")
        if entry := _known_entry(session, item):
            return entry
        _require_answer(session, item, Speaker(user_hash, databases))
        row = submission_row(item, user_hash, utc_now())
        session.connection().execute(insert(FeedbackRow), row)
        event = event_row(row["feedback_id"], Event.SUBMITTED, row["updated_at"], actor=item.source)
        append_events(session, [event])
    return Entry(row["feedback_id"], row["status"], row["created_at"])


def _known_entry(session: Session, item: Submission) -> Entry | None:
    if item.key is None:
        return None
    mine = FeedbackRow.source == item.source, FeedbackRow.client_key == item.client_key
    row = session.connection().execute(select(*_SUBMISSION).where(*mine)).mappings().one_or_none()
    if row is None:
        return None
    # An interaction that was erased since has left no trace in the row.
    kept = (name for name in OF_SUBMISSION if name != "interaction_id" or row[name] is not None)
    if any(row[name] != getattr(item, name) for name in kept):
        raise KeyReusedError("submission")
    return Entry(row["feedback_id"], row["status"], row["created_at"], replayed=True)


def _require_answer(session: Session, item: Submission, speaker: Speaker) -> None:
    if item.interaction_id is None:
        return
    this = InteractionRow.interaction_id == item.interaction_id
    query = select(InteractionRow.database_id).where(this, *existing_for(session, speaker))
    found = session.connection().execute(query).first()
    if found is None:
        raise UnknownInteractionError(item.interaction_id)
    if found.database_id not in (None, item.database_id):
        raise OtherDatabaseError(item.interaction_id)


def record_once(store: Store, item: Interaction) -> Recorded:
    """Store one interaction as it comes in over an interface.

    Raises KeyReusedError where its key brought another interaction before, and ValueError as ``record_many`` does.
    """
    validate(item)
    user_hash = None if item.user_id is None else store.hash_user(item.user_id)
    with store.begin() as session:
        if user_hash or item.key:
            lock(session, "interactions")
        if opted_out_of(session, [user_hash]):
            return Recorded(NOT_STORED, stored=False)
        known = None if item.key is None else _known(session, item, user_hash)
        if known is not None:
            return Recorded(known, replayed=True)
        [interaction_id] = insert_interactions(session, [(item, user_hash)])
    return Recorded(interaction_id)


def _known(session: Session, item: Interaction, user_hash: str | None) -> int | None:
    mine = InteractionRow.source == item.source, InteractionRow.client_key == item.client_key
    row = session.execute(select(*_INTERACTION).where(*mine)).mappings().one_or_none()
    if row is None:
        return None
    new = interaction_row(item, user_hash, utc_now())
    if any(row[name] != new[name] for name in OF_INTERACTION) or _differ(session, row["interaction_id"], item):
        raise KeyReusedError("interaction")
    return row["interaction_id"]


def _differ(session: Session, interaction_id: int, item: Interaction) -> bool:
    """Tell whether other chunks or examples are stored than those of ``item``."""
    for table, field in CHILDREN:
        columns = [column for column in table.__table__.columns if column.name != "interaction_id"]
        stored = session.execute(select(*columns).where(table.interaction_id == interaction_id)).mappings()
        sent = {child.rank: asdict(child) for child in getattr(item, field)}
        if {row["rank"]: dict(row) for row in stored} != sent:
            return True
    return False
