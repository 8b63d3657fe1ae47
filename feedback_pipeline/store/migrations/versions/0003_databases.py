"""What the checks of a database depend on besides its schema: where that came from, and when to check again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns."""
    with op.batch_alter_table("databases") as databases:
        databases.add_column(sa.Column("schema_source", sa.String(length=8), nullable=True))
        databases.add_column(sa.Column("checks_epoch", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("databases") as databases:
        databases.drop_column("checks_epoch")
        databases.drop_column("schema_source")
