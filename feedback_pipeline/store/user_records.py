"""Everything the store holds of one user: its texts, to search for them elsewhere, and its removal for good."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session, aliased

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.errors import clear_errors, unavailable
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import (
    FeedbackEventRow,
    FeedbackRow,
    InteractionRow,
    RetrievalExampleRow,
    RetrievalRow,
    RetrievedChunkRow,
    RetrievedExampleRow,
)
from feedback_pipeline.store.opt_outs import given_by, lock_intake

_TRIES, _PAUSE_S = 20, 0.25

QUESTIONS = (FeedbackRow.natural_query, InteractionRow.natural_query)
ANSWERS = (FeedbackRow.generated_sql, FeedbackRow.corrected_sql, InteractionRow.output)
REMARKS = (FeedbackRow.comment, InteractionRow.feedback_reason)
SAFE_QUESTION = "safe_question"
QUOTED = (SAFE_QUESTION, "answer_sql", "safe_sql", "canonical_sql", "safe_generated_sql", "tidied_generated_sql")
"""What the evidence of the checks may quote of what came in, in the form it has in later tables."""


@dataclass(frozen=True)
class UserTexts:
    """What a user wrote and nobody else did; ``questions`` are part of ``texts``."""

    questions: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()


def texts_of(store: Store, feedback_ids: Sequence[str], interaction_ids: Sequence[int]) -> UserTexts:
    """Return the texts of these records that no other record has, as they were sent and as the checks made them safe.

    Where two users asked the same, the words are not one user's alone and may stay.
    """
    own = {FeedbackRow: set(feedback_ids), InteractionRow: set(interaction_ids)}
    with store.read() as session:
        questions = _own_texts(session, QUESTIONS, own)
        others = _own_texts(session, ANSWERS, own) | _own_texts(session, REMARKS, own)
        quoted = _quoted_in_checks(session, feedback_ids)
    safe_questions = {text for name, text in quoted if name == SAFE_QUESTION}
    return UserTexts(
        frozenset(questions | safe_questions), frozenset(questions | others | {text for _, text in quoted})
    )


def _own_texts(session: Session, columns: Sequence[Any], own: dict[Any, set[Any]]) -> set[str]:
    texts: set[str] = set()
    for column in columns:
        rows = _rows(session, column, _key(column), own[column.class_])
        texts.update(text for _, text in rows if text and text.strip())
    for column in columns:
        used = _rows(session, column, column, sorted(texts))
        texts -= {text for record_id, text in used if record_id not in own[column.class_]}
    return texts


def _key(column: Any) -> Any:
    return column.class_.__table__.primary_key.columns[0]


def _rows(session: Session, column: Any, among_column: Any, values: Iterable[Any]) -> list[tuple[Any, str]]:
    found: list[tuple[Any, str]] = []
    for some in batches(sorted(values)):
        query = select(_key(column), column).where(among(session, among_column, some))
        found += session.execute(query).tuples()
    return found


def _quoted_in_checks(session: Session, feedback_ids: Iterable[str]) -> set[tuple[str, str]]:
    """Return name and text of what the evidence quotes; a safe text stands there where it differs from what came in."""
    found: set[tuple[str, str]] = set()
    for some in batches(feedback_ids):
        query = select(FeedbackRow.checks).where(among(session, FeedbackRow.feedback_id, some))
        for checks in session.scalars(query):
            values = ((name, (checks or {}).get(name)) for name in QUOTED)
            found.update((name, text) for name, text in values if isinstance(text, str) and text)
    return found


def remove_user(store: Store, user_hash: str) -> dict[str, int]:
    """Delete all records of a user in one transaction and return how many of each kind there were.

    Feedback of others on this user's interactions stays and loses the reference.
    """
    feedback = select(FeedbackRow.feedback_id).where(given_by(user_hash))
    interactions = select(InteractionRow.interaction_id).where(InteractionRow.user_hash == user_hash)
    with store.begin() as session:
        lock_intake(session)
        if session.get_bind().dialect.name == "sqlite":
            session.connection().exec_driver_sql("PRAGMA secure_delete=ON")
        counts = _counts(session, user_hash)
        # Events, chunks and examples go with them: the tables say so (ON DELETE CASCADE).
        session.execute(delete(RetrievalRow).where(RetrievalRow.retrieval_id.in_(_retrievals(user_hash))))
        session.execute(delete(FeedbackRow).where(FeedbackRow.feedback_id.in_(feedback)))
        session.execute(delete(InteractionRow).where(InteractionRow.interaction_id.in_(interactions)))
    return counts


def count_records(store: Store, user_hash: str) -> dict[str, int]:
    """Return how many records of each kind the store holds of a user."""
    with store.read() as session:
        return _counts(session, user_hash)


def still_stored(store: Store, feedback_ids: Iterable[str]) -> int:
    """Return how many of ``feedback_ids`` the store holds, whoever they are filed under."""
    with store.read() as session:
        return sum(
            session.scalar(select(func.count()).where(among(session, FeedbackRow.feedback_id, some))) or 0
            for some in batches(feedback_ids)
        )


def _counts(session: Session, user_hash: str) -> dict[str, int]:
    feedback = select(FeedbackRow.feedback_id).where(given_by(user_hash))
    interactions = select(InteractionRow.interaction_id).where(InteractionRow.user_hash == user_hash)
    conditions = {
        "feedback": (FeedbackRow.feedback_id, feedback),
        "events": (FeedbackEventRow.feedback_id, feedback),
        "interactions": (InteractionRow.interaction_id, interactions),
        "retrieved_chunks": (RetrievedChunkRow.interaction_id, interactions),
        "retrieved_examples": (RetrievedExampleRow.interaction_id, interactions),
        "retrievals": (RetrievalRow.retrieval_id, _retrievals(user_hash)),
        "retrieval_examples": (RetrievalExampleRow.retrieval_id, _retrievals(user_hash)),
    }
    return {
        name: session.scalar(select(func.count()).where(column.in_(ids))) or 0
        for name, (column, ids) in conditions.items()
    }


def _retrievals(user_hash: str) -> Select[tuple[str]]:
    """Return the look-ups of examples made for the user's interactions, whichever of the two names the other."""
    theirs = InteractionRow.user_hash == user_hash
    # What they claim of another database is not theirs to erase.
    claimed = aliased(RetrievalRow)
    is_there = (claimed.retrieval_id == InteractionRow.retrieval_id) & (
        claimed.database_id == InteractionRow.database_id
    )
    named = select(InteractionRow.retrieval_id).join(claimed, is_there).where(theirs)
    naming = RetrievalRow.interaction_id.in_(select(InteractionRow.interaction_id).where(theirs))
    return select(RetrievalRow.retrieval_id).where(or_(RetrievalRow.retrieval_id.in_(named), naming))


def scrub(store: Store) -> dict[str, Any]:
    """Leave nothing of deleted rows in the database's files: on SQLite the file is rewritten and its log emptied.

    On Postgres that is the server's (autovacuum), and said so. Raises StoreUnavailableError while another process
    keeps the log in use.
    """
    if store.engine.dialect.name != "sqlite":
        return {"files": "left to the server: VACUUM, write-ahead log and replicas are Postgres' own"}
    with clear_errors(store.engine.url):
        connection = store.engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM")
            if not _empty_log(connection):
                way_out = "End the program that reads it, then run 'feedback-pipeline erase' again."
                raise unavailable(store.engine.url, "its write-ahead log is in use", way_out)
        finally:
            connection.close()
    return {"files": "rewritten"}


def _empty_log(connection: Any) -> bool:
    for _ in range(_TRIES):
        busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            return True
        time.sleep(_PAUSE_S)
    return False
