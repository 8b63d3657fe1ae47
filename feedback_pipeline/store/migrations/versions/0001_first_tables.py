"""First tables: interactions with what they retrieved, feedback with its events, databases, opt-outs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Written out instead of imported from the models: a released step must not change when they do.
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Create all tables."""
    _create_databases()
    _create_opt_outs()
    _create_interactions()
    _create_retrieved_chunks()
    _create_retrieved_examples()
    _create_feedback()
    _create_feedback_events()


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "feedback_events",
        "feedback",
        "retrieved_examples",
        "retrieved_chunks",
        "interactions",
        "opt_outs",
        "databases",
    ):
        op.drop_table(table)


def _create_databases() -> None:
    op.create_table(
        "databases",
        sa.Column("database_id", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("schema", JSON, nullable=True),
        sa.Column("schema_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("database_id", name="pk_databases"),
    )


def _create_opt_outs() -> None:
    op.create_table(
        "opt_outs",
        sa.Column("user_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("user_hash", name="pk_opt_outs"),
    )


def _create_interactions() -> None:
    op.create_table(
        "interactions",
        sa.Column("interaction_id", SEQUENCE, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("database_id", sa.Text(), nullable=True),
        sa.Column("natural_query", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("user_hash", sa.String(length=64), nullable=True),
        sa.Column("trace_id", sa.Text(), nullable=True),
        sa.Column("feedback", sa.Integer(), nullable=True),
        sa.Column("feedback_reason", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("client_key", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("rated_at", MOMENT, nullable=True),
        sa.Column("rating_recorded_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('text2sql', 'rag')", name="ck_interactions_kind"),
        sa.CheckConstraint("feedback IN (1, -1)", name="ck_interactions_feedback"),
        sa.PrimaryKeyConstraint("interaction_id", name="pk_interactions"),
        sa.UniqueConstraint("source", "client_key", name="uq_interactions_source_client_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_interactions_rated_at", "interactions", ["rated_at"])
    op.create_index("ix_interactions_rating_recorded_at", "interactions", ["rating_recorded_at"])
    op.create_index("ix_interactions_recorded_at", "interactions", ["recorded_at"])
    op.create_index("ix_interactions_user_hash", "interactions", ["user_hash"])


def _create_retrieved_chunks() -> None:
    op.create_table(
        "retrieved_chunks",
        sa.Column("interaction_id", SEQUENCE, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("chunk_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("in_scope", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.interaction_id"],
            name="fk_retrieved_chunks_interaction_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("interaction_id", "rank", name="pk_retrieved_chunks"),
    )


def _create_retrieved_examples() -> None:
    op.create_table(
        "retrieved_examples",
        sa.Column("interaction_id", SEQUENCE, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("example_id", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("index_version", sa.BigInteger(), nullable=True),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.interaction_id"],
            name="fk_retrieved_examples_interaction_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("interaction_id", "rank", name="pk_retrieved_examples"),
    )
    op.create_index("ix_retrieved_examples_example_id", "retrieved_examples", ["example_id"])


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("feedback_id", sa.String(length=36), nullable=False),
        sa.Column("interaction_id", SEQUENCE, nullable=True),
        sa.Column("database_id", sa.Text(), nullable=False),
        sa.Column("natural_query", sa.Text(), nullable=False),
        sa.Column("generated_sql", sa.Text(), nullable=True),
        sa.Column("corrected_sql", sa.Text(), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("user_hash", sa.String(length=64), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("client_key", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("checks", JSON, nullable=True),
        sa.Column("checks_key", sa.Text(), nullable=True),
        sa.Column("checks_passed", sa.Boolean(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name="ck_feedback_rating"),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.interaction_id"],
            name="fk_feedback_interaction_id",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("feedback_id", name="pk_feedback"),
        sa.UniqueConstraint("source", "client_key", name="uq_feedback_source_client_key"),
    )
    op.create_index("ix_feedback_created_at", "feedback", ["created_at"])
    op.create_index("ix_feedback_database_id", "feedback", ["database_id"])
    op.create_index("ix_feedback_interaction_id", "feedback", ["interaction_id"])
    op.create_index("ix_feedback_status_created_at", "feedback", ["status", "created_at"])
    op.create_index("ix_feedback_user_hash", "feedback", ["user_hash"])


def _create_feedback_events() -> None:
    op.create_table(
        "feedback_events",
        sa.Column("event_seq", SEQUENCE, nullable=False),
        sa.Column("feedback_id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("payload", JSON, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["feedback_id"],
            ["feedback.feedback_id"],
            name="fk_feedback_events_feedback_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("event_seq", name="pk_feedback_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feedback_events_at_event", "feedback_events", ["at", "event"])
    op.create_index("ix_feedback_events_event_event_seq", "feedback_events", ["event", "event_seq"])
    op.create_index("ix_feedback_events_feedback_id", "feedback_events", ["feedback_id"])
