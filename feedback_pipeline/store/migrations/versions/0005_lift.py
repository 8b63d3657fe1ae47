"""What measuring examples needs: the rate at which one was withheld, and proposals to retire those that harm."""

import sqlalchemy as sa
from alembic import op

from feedback_pipeline.store.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("retrievals", sa.Column("holdback_rate", sa.Float(), nullable=True))
    op.create_table(
        "retirement_proposals",
        sa.Column("example_id", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("kept_at", UtcDateTime(), nullable=True),
        sa.Column("kept_by", sa.Text(), nullable=True),
        sa.Column("kept_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("example_id", name="pk_retirement_proposals"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("retirement_proposals")
    with op.batch_alter_table("retrievals") as retrievals:
        retrievals.drop_column("holdback_rate")
