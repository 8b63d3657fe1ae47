"""The journal of erasures, and the models that were trained on what is released."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "erasures",
        sa.Column("erasure_id", sa.String(length=36), nullable=False),
        sa.Column("user_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("consent", sa.String(length=16), nullable=False),
        sa.Column("found", JSON, nullable=True),
        sa.Column("progress", JSON, nullable=True),
        sa.Column("receipt", JSON, nullable=True),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("erasure_id", name="pk_erasures"),
    )
    op.create_index("ix_erasures_state", "erasures", ["state"])
    op.create_index("ix_erasures_user_hash", "erasures", ["user_hash"])
    op.create_table(
        "trained_models",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("noted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", "dataset", "version", name="pk_trained_models"),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("trained_models")
    op.drop_table("erasures")
