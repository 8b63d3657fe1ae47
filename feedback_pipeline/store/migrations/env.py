"""Alembic's entry point: runs on the connection that ``alembic_config`` was given."""

from alembic import context

from feedback_pipeline.store.migrations import VERSION_TABLE
from feedback_pipeline.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
