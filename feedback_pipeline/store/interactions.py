"""Questions models answered, what was retrieved for them, and how users rated the answers."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import utc_now
from feedback_pipeline.store.lookups import Key, among, batches, ids_by_key
from feedback_pipeline.store.models import InteractionRow, RetrievedChunkRow, RetrievedExampleRow
from feedback_pipeline.store.opt_outs import opted_out_of
from feedback_pipeline.store.types import require_zone

KINDS = ("text2sql", "rag")
RATINGS = (1, -1)
NOT_STORED = 0
"""What stands for the id of an interaction whose user has opted out; ids begin with 1."""
CHILDREN = ((RetrievedChunkRow, "chunks"), (RetrievedExampleRow, "examples"))
"""Tables of what was retrieved, and the field of an interaction each comes from."""


class UnknownInteractionError(LookupError):
    """No interaction has this id."""

    def __init__(self, interaction_id: int):
        self.interaction_id = interaction_id
        super().__init__(f"No interaction has the id {interaction_id}: it has to be recorded first.")


@dataclass(frozen=True)
class Chunk:
    """A retrieved passage. ``rank`` is its place in the result, no two chunks of an interaction share it."""

    chunk_id: str
    text: str | None
    score: float | None
    rank: int
    in_scope: bool | None = None


@dataclass(frozen=True)
class RetrievedExample:
    """A few-shot example that was shown to the model, or ``withheld`` from it to measure its effect."""

    example_id: str
    rank: int
    score: float | None = None
    index_version: int | None = None
    withheld: bool = False


@dataclass(frozen=True)
class Interaction:
    """One answered question. ``user_id`` is the raw id and is hashed on storing; times are aware.

    ``feedback`` is 1 (up), -1 (down) or None. ``created_at`` and ``rated_at`` are the source's own times;
    default: now. The same (source, client_key) is stored once. ``retrieval_id`` is what the search for examples
    answered with.
    """

    kind: Literal["text2sql", "rag"]
    natural_query: str
    output: str | None = None
    database_id: str | None = None
    model: str | None = None
    user_id: str | None = None
    trace_id: str | None = None
    feedback: int | None = None
    feedback_reason: str | None = None
    created_at: datetime | None = None
    rated_at: datetime | None = None
    chunks: Sequence[Chunk] = ()
    examples: Sequence[RetrievedExample] = ()
    client_key: str | None = None
    source: str = "user_feedback"
    retrieval_id: str | None = None

    @property
    def key(self) -> Key | None:
        """What makes it the same interaction as another; None where the sender gave no key."""
        return None if self.client_key is None else (self.source, self.client_key)


_OfUser = tuple[Interaction, str | None]
"""An interaction and the hash of its user."""


def record_many(store: Store, interactions: Iterable[Interaction]) -> list[tuple[int, bool]]:
    """Store ``interactions`` in one transaction; return (interaction_id, newly stored) of each, in order.

    Those of users who have opted out are not stored: (NOT_STORED, False). Raises ValueError, and stores nothing, when
    one has a kind, time, rating or ranks that cannot be.
    """
    interactions = list(interactions)
    for item in interactions:
        validate(item)
    users = [None if item.user_id is None else store.hash_user(item.user_id) for item in interactions]
    with store.begin() as session:
        if any(users) or any(item.key for item in interactions):
            lock(session, "interactions")
        unwanted = opted_out_of(session, users)
        wanted = [(item, user) for item, user in zip(interactions, users, strict=True) if user not in unwanted]
        in_order = iter(_record(session, wanted))
    return [(NOT_STORED, False) if user in unwanted else next(in_order) for user in users]


def _record(session: Session, interactions: list[_OfUser]) -> list[tuple[int, bool]]:
    known = ids_by_key(
        session, InteractionRow, InteractionRow.interaction_id, (item.key for item, _ in interactions if item.key)
    )
    new, positions = _first_of_each(interactions, known)
    ids = insert_interactions(session, new)
    return [
        (known[item.key], False) if item.key in known else (ids[position], is_first)
        for (item, _), (position, is_first) in zip(interactions, positions, strict=True)
    ]


def require_interactions(session: Session, interaction_ids: Iterable[int | None]) -> None:
    """Raise UnknownInteractionError unless all of ``interaction_ids`` exist; None needs no interaction."""
    wanted = {interaction_id for interaction_id in interaction_ids if interaction_id is not None}
    for chunk in batches(sorted(wanted)):
        query = select(InteractionRow.interaction_id).where(among(session, InteractionRow.interaction_id, chunk))
        wanted -= set(session.scalars(query))
    for missing in sorted(wanted):
        raise UnknownInteractionError(missing)


def validate(item: Interaction) -> None:
    """Raise ValueError where an interaction has a kind, time, rating or ranks that cannot be."""
    name = f"interaction {item.client_key or repr(item.natural_query[:60])}"
    if item.kind not in KINDS:
        raise ValueError(f"{name}: kind is {item.kind!r}, use one of {', '.join(KINDS)}.")
    require_zone(name, created_at=item.created_at, rated_at=item.rated_at)
    if item.feedback is not None:
        validate_rating(name, item.feedback)
    for field in ("chunks", "examples"):
        ranks = [child.rank for child in getattr(item, field)]
        if len(set(ranks)) < len(ranks):
            raise ValueError(f"{name}: {field} repeat a rank ({ranks}); number them 1, 2, 3 in the order retrieved.")


def validate_rating(name: str, rating: int) -> None:
    """Raise ValueError unless ``rating`` is one of ``RATINGS``; ``name`` says whose it is."""
    if rating not in RATINGS or isinstance(rating, bool):
        raise ValueError(f"{name}: rating is {rating!r}, use 1 for thumbs up or -1 for thumbs down.")


def _first_of_each(interactions: list[_OfUser], known: dict[Key, int]) -> tuple[list[_OfUser], list[tuple[int, bool]]]:
    """Return what to insert, and for each one given (position among those, is it the first of its key)."""
    new: list[_OfUser] = []
    position_of: dict[Key, int] = {}
    positions: list[tuple[int, bool]] = []
    for item, user_hash in interactions:
        is_first = item.key not in known and item.key not in position_of
        positions.append((len(new) if item.key is None else position_of.get(item.key, len(new)), is_first))
        if is_first:
            new.append((item, user_hash))
            if item.key:
                position_of[item.key] = len(new) - 1
    return new, positions


def insert_interactions(session: Session, items: list[_OfUser]) -> list[int]:
    """Insert interactions, each with the hash of its user, and return their ids in order."""
    if not items:
        return []
    now = utc_now()
    statement = insert(InteractionRow).returning(InteractionRow.interaction_id, sort_by_parameter_order=True)
    ids = list(session.connection().execute(statement, [interaction_row(*item, now) for item in items]).scalars())
    for table, field in CHILDREN:
        rows = [
            {"interaction_id": interaction_id, **asdict(child)}
            for interaction_id, (item, _) in zip(ids, items, strict=True)
            for child in getattr(item, field)
        ]
        if rows:
            session.connection().execute(insert(table), rows)
    return ids


def interaction_row(item: Interaction, user_hash: str | None, now: datetime) -> dict[str, Any]:
    """Return the row under which ``item`` is stored."""
    rated = item.feedback is not None
    return {
        "kind": item.kind,
        "database_id": item.database_id,
        "natural_query": item.natural_query,
        "output": item.output,
        "model": item.model,
        "user_hash": user_hash,
        "trace_id": item.trace_id,
        "feedback": item.feedback,
        "feedback_reason": item.feedback_reason,
        "source": item.source,
        "client_key": item.client_key,
        "retrieval_id": item.retrieval_id,
        "created_at": item.created_at or now,
        "recorded_at": now,
        "rated_at": (item.rated_at or now) if rated else None,
        "rating_recorded_at": now if rated else None,
    }
