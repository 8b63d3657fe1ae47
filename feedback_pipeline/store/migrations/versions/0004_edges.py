"""What the edges need: an ordered queue, reservations, several reviewers per item, and which example was used where."""

import sqlalchemy as sa
from alembic import op

from feedback_pipeline.store.types import SEQUENCE, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_QUEUE_COLUMNS = ("flagged", "review_order", "times_asked", "similar_waiting", "in_conflict")


def upgrade() -> None:
    """Add columns and tables, and note which feedback is flagged already."""
    op.add_column("interactions", sa.Column("retrieval_id", sa.String(length=36), nullable=True))
    op.create_index("ix_interactions_retrieval_id", "interactions", ["retrieval_id"])
    _extend_feedback()
    _create_review_tables()
    _create_influence_tables()


def _extend_feedback() -> None:
    for name in _QUEUE_COLUMNS:
        op.add_column("feedback", _queue_column(name))
    flags = sa.column("checks", sa.JSON)["flags"].as_string()
    feedback = sa.table("feedback", sa.column("flagged", sa.Boolean), sa.column("checks", sa.JSON))
    op.execute(feedback.update().where(flags != "[]").values(flagged=True))
    queue = ["status", "review_order", "created_at", "feedback_id"]
    op.create_index("ix_feedback_queue", "feedback", queue)
    counted = ["status", "database_id", "checks_passed", "flagged", "in_conflict"]
    op.create_index("ix_feedback_counts", "feedback", counted)


def _queue_column(name: str) -> sa.Column:
    kinds = {
        "review_order": (sa.Float(), "0"),
        "times_asked": (sa.Integer(), "0"),
        "similar_waiting": (sa.Integer(), "0"),
    }
    kind, default = kinds.get(name, (sa.Boolean(), sa.false()))
    return sa.Column(name, kind, server_default=default, nullable=False)


def _create_review_tables() -> None:
    op.create_table(
        "reservations",
        sa.Column("feedback_id", sa.String(length=36), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        _of_feedback("reservations"),
        sa.PrimaryKeyConstraint("feedback_id", name="pk_reservations"),
    )
    op.create_table(
        "reviews",
        sa.Column("review_seq", SEQUENCE, nullable=False),
        sa.Column("feedback_id", sa.String(length=36), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        _of_feedback("reviews"),
        sa.PrimaryKeyConstraint("review_seq", name="pk_reviews"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_feedback_id", "reviews", ["feedback_id"])


def _create_influence_tables() -> None:
    op.create_table(
        "retrievals",
        sa.Column("retrieval_id", sa.String(length=36), nullable=False),
        sa.Column("interaction_id", sa.BigInteger(), nullable=True),
        sa.Column("database_id", sa.Text(), nullable=False),
        sa.Column("index_version", sa.BigInteger(), nullable=True),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("retrieval_id", name="pk_retrievals"),
    )
    op.create_index("ix_retrievals_interaction_id", "retrievals", ["interaction_id"])
    op.create_index("ix_retrievals_at", "retrievals", ["at"])
    op.create_table(
        "retrieval_examples",
        sa.Column("retrieval_id", sa.String(length=36), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("example_id", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["retrieval_id"],
            ["retrievals.retrieval_id"],
            name="fk_retrieval_examples_retrieval_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("retrieval_id", "rank", name="pk_retrieval_examples"),
    )
    uses = ["example_id", "retrieval_id", "withheld"]
    op.create_index("ix_retrieval_examples_uses", "retrieval_examples", uses)
    op.create_table(
        "example_sources",
        sa.Column("example_id", sa.Text(), nullable=False),
        sa.Column("feedback_id", sa.String(length=36), nullable=False),
        _of_feedback("example_sources"),
        sa.PrimaryKeyConstraint("example_id", "feedback_id", name="pk_example_sources"),
    )
    op.create_index("ix_example_sources_feedback_id", "example_sources", ["feedback_id"])


def _of_feedback(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["feedback_id"], ["feedback.feedback_id"], name=f"fk_{table}_feedback_id", ondelete="CASCADE"
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("example_sources", "retrieval_examples", "retrievals", "reviews", "reservations"):
        op.drop_table(table)
    for index in ("ix_feedback_counts", "ix_feedback_queue"):
        op.drop_index(index, "feedback")
    with op.batch_alter_table("feedback") as feedback:
        for name in _QUEUE_COLUMNS:
            feedback.drop_column(name)
    op.drop_index("ix_interactions_retrieval_id", "interactions")
    with op.batch_alter_table("interactions") as interactions:
        interactions.drop_column("retrieval_id")
