"""The tables of the system of record. Shapes only: what may happen to a row lives in the other modules.

A change here needs a new file in ``migrations/versions`` and the new ``HEAD`` in ``migrations/__init__.py``.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from feedback_pipeline.store.types import NULLABLE_JSON, SEQUENCE, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Common base: one metadata, constraint names that are the same on every database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {str: Text(), datetime: UtcDateTime(), dict[str, Any]: NULLABLE_JSON}  # noqa: RUF012


class InteractionRow(Base):
    """A question a model answered.

    ``created_at`` and ``rated_at`` are the source's times, ``…recorded_at`` when we learned of it.
    """

    __tablename__ = "interactions"
    __table_args__ = (
        UniqueConstraint("source", "client_key"),
        CheckConstraint("kind IN ('text2sql', 'rag')", name="kind"),
        CheckConstraint("feedback IN (1, -1)", name="feedback"),
        Index(None, "recorded_at"),
        Index(None, "rated_at"),
        Index(None, "rating_recorded_at"),
        {"sqlite_autoincrement": True},
    )

    interaction_id: Mapped[int] = mapped_column(SEQUENCE, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    database_id: Mapped[str | None]
    natural_query: Mapped[str]
    output: Mapped[str | None]
    model: Mapped[str | None]
    user_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    trace_id: Mapped[str | None]
    feedback: Mapped[int | None]
    feedback_reason: Mapped[str | None]
    source: Mapped[str]
    client_key: Mapped[str | None]
    retrieval_id: Mapped[str | None] = mapped_column(String(36), index=True)
    created_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    rated_at: Mapped[datetime | None]
    rating_recorded_at: Mapped[datetime | None]


class RetrievedChunkRow(Base):
    """A passage the product retrieved for an interaction."""

    __tablename__ = "retrieved_chunks"

    interaction_id: Mapped[int] = mapped_column(
        ForeignKey("interactions.interaction_id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    chunk_id: Mapped[str]
    text: Mapped[str | None]
    score: Mapped[float | None]
    in_scope: Mapped[bool | None]


class RetrievedExampleRow(Base):
    """A few-shot example that influenced an interaction, or was withheld from it to measure its effect."""

    __tablename__ = "retrieved_examples"

    interaction_id: Mapped[int] = mapped_column(
        ForeignKey("interactions.interaction_id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    example_id: Mapped[str] = mapped_column(index=True)
    score: Mapped[float | None]
    index_version: Mapped[int | None] = mapped_column(BigInteger)
    withheld: Mapped[bool]


class FeedbackRow(Base):
    """A correction or rating of one answer. ``status`` is what its events say, kept here for queries.

    So is ``flagged``, which the checks say. ``review_order`` (minus the expected value of a review: the
    smallest comes first) to ``in_conflict`` are what orders and filters the queue
    of reviewers; they are worked out in the background and mean something for pending feedback only.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("source", "client_key"),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
        Index(None, "status", "created_at"),
        Index("ix_feedback_queue", "status", "review_order", "created_at", "feedback_id"),
        Index("ix_feedback_counts", "status", "database_id", "checks_passed", "flagged", "in_conflict"),
        Index(None, "created_at"),
    )

    feedback_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    interaction_id: Mapped[int | None] = mapped_column(
        ForeignKey("interactions.interaction_id", ondelete="SET NULL"), index=True
    )
    database_id: Mapped[str] = mapped_column(index=True)
    natural_query: Mapped[str]
    generated_sql: Mapped[str | None]
    corrected_sql: Mapped[str | None]
    rating: Mapped[int | None]
    comment: Mapped[str | None]
    user_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    source: Mapped[str]
    client_key: Mapped[str | None]
    status: Mapped[str] = mapped_column(String(16))
    status_reason: Mapped[str | None]
    checks: Mapped[dict[str, Any] | None]
    checks_key: Mapped[str | None]
    checks_passed: Mapped[bool | None]
    flagged: Mapped[bool] = mapped_column(server_default=false(), default=False)
    review_order: Mapped[float] = mapped_column(server_default="0", default=0.0)
    times_asked: Mapped[int] = mapped_column(server_default="0", default=0)
    similar_waiting: Mapped[int] = mapped_column(server_default="0", default=0)
    in_conflict: Mapped[bool] = mapped_column(server_default=false(), default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ReservationRow(Base):
    """A reviewer has an item of the queue for themselves, until a moment."""

    __tablename__ = "reservations"

    feedback_id: Mapped[str] = mapped_column(ForeignKey("feedback.feedback_id", ondelete="CASCADE"), primary_key=True)
    reviewer: Mapped[str]
    until: Mapped[datetime]


class ReviewRow(Base):
    """What one reviewer said about a feedback: ``verified`` or ``rejected``. Append-only; the latest word counts."""

    __tablename__ = "reviews"
    __table_args__ = ({"sqlite_autoincrement": True},)

    review_seq: Mapped[int] = mapped_column(SEQUENCE, primary_key=True)
    feedback_id: Mapped[str] = mapped_column(ForeignKey("feedback.feedback_id", ondelete="CASCADE"), index=True)
    reviewer: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None]
    at: Mapped[datetime]


class RetrievalRow(Base):
    """A question that examples were looked up for, without the question: ``shown`` counts what it was given.

    ``holdback_rate`` is the share of retrievals from which one example was withheld at random then; null for none.
    No foreign key to the interaction: it is what an agent claims, and is written in bulk behind the answer.
    """

    __tablename__ = "retrievals"
    __table_args__ = (Index(None, "at"),)

    retrieval_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    interaction_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    database_id: Mapped[str]
    index_version: Mapped[int | None] = mapped_column(BigInteger)
    shown: Mapped[int]
    holdback_rate: Mapped[float | None]
    at: Mapped[datetime]


class RetrievalExampleRow(Base):
    """An example that one retrieval answered with, or withheld to measure its effect."""

    __tablename__ = "retrieval_examples"
    # All that counting the uses of an example reads.
    __table_args__ = (Index("ix_retrieval_examples_uses", "example_id", "retrieval_id", "withheld"),)

    retrieval_id: Mapped[str] = mapped_column(
        ForeignKey("retrievals.retrieval_id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    example_id: Mapped[str]
    score: Mapped[float | None]
    withheld: Mapped[bool]


class ExampleSourceRow(Base):
    """A feedback that an example of the index rests, or once rested, on."""

    __tablename__ = "example_sources"

    example_id: Mapped[str] = mapped_column(primary_key=True)
    feedback_id: Mapped[str] = mapped_column(
        ForeignKey("feedback.feedback_id", ondelete="CASCADE"), primary_key=True, index=True
    )


class RetirementProposalRow(Base):
    """An example that measurably harms answers: a reviewer retires it, or keeps it until there is new evidence.

    ``evidence`` is what was measured, without texts. ``kept_at`` is null while nobody has decided.
    """

    __tablename__ = "retirement_proposals"

    example_id: Mapped[str] = mapped_column(primary_key=True)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    proposed_at: Mapped[datetime]
    kept_at: Mapped[datetime | None]
    kept_by: Mapped[str | None]
    kept_reason: Mapped[str | None]


class FeedbackEventRow(Base):
    """One thing that happened to a feedback. Append-only; ``event_seq`` grows in the order of commits."""

    __tablename__ = "feedback_events"
    __table_args__ = (
        Index(None, "at", "event"),
        Index(None, "event", "event_seq"),
        {"sqlite_autoincrement": True},
    )

    event_seq: Mapped[int] = mapped_column(SEQUENCE, primary_key=True)
    feedback_id: Mapped[str] = mapped_column(ForeignKey("feedback.feedback_id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str | None]
    reason: Mapped[str | None]
    payload: Mapped[dict[str, Any] | None]
    at: Mapped[datetime]


class DatabaseRow(Base):
    """A database that questions are asked about, and what we know of its schema.

    ``schema_source`` is ``url`` or ``ddl``; ``checks_epoch`` grows when all its feedback is to be checked again.
    """

    __tablename__ = "databases"

    database_id: Mapped[str] = mapped_column(primary_key=True)
    dialect: Mapped[str]
    url: Mapped[str | None]
    schema: Mapped[dict[str, Any] | None]
    schema_fingerprint: Mapped[str | None] = mapped_column(String(64))
    schema_source: Mapped[str | None] = mapped_column(String(8))
    checks_epoch: Mapped[int] = mapped_column(server_default="0", default=0)
    updated_at: Mapped[datetime]


class OptOutRow(Base):
    """A user whose feedback is not to be used."""

    __tablename__ = "opt_outs"

    user_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime]


class ErasureRow(Base):
    """The journal of one erasure: what was found when it was asked for, how far it is, and its receipt.

    It outlives what it erased: the hash and the ids are all that is left of the user.
    """

    __tablename__ = "erasures"
    __table_args__ = (Index(None, "state"),)

    erasure_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_hash: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(16))
    consent: Mapped[str] = mapped_column(String(16))
    found: Mapped[dict[str, Any] | None]
    progress: Mapped[dict[str, Any] | None]
    receipt: Mapped[dict[str, Any] | None]
    requested_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class TrainedModelRow(Base):
    """A model somebody trained on a version of a dataset, as they told us."""

    __tablename__ = "trained_models"

    name: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]
    noted_at: Mapped[datetime]
