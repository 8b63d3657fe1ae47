"""Brings a store to the current schema: Alembic, configured here so that nobody needs an ini file.

Opening a store that is current must stay cheap, so its revision is read with plain SQL and Alembic is
imported only when there is something to do. To add a step: ``python -m feedback_pipeline.store.migrations
"what changes"``, then set ``HEAD``.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0005"
"""Revision this code works with: the name of the last file in ``versions``."""

VERSION_TABLE = "feedback_pipeline_version"
"""Not Alembic's default: Dagster keeps its own ``alembic_version`` when both share a Postgres database."""


class NewerStoreError(RuntimeError):
    """The store was migrated by a newer release of this project."""


def current_revision(connection: Connection) -> str | None:
    """Return the revision the database is at, None for one that holds no store yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608


def is_current(connection: Connection) -> bool:
    """Tell whether the database is at ``HEAD``. Raises NewerStoreError when it is past it."""
    revision = current_revision(connection)
    if revision is not None and revision > HEAD:
        raise NewerStoreError(f"its schema is at revision {revision}, this code knows {HEAD}")
    return revision == HEAD


def upgrade(connection: Connection) -> None:
    """Migrate to ``HEAD`` within the caller's transaction; the caller holds the lock."""
    from alembic import command

    command.upgrade(alembic_config(connection), HEAD)


def alembic_config(connection: Connection | None = None) -> "Config":
    """Return Alembic's configuration, bound to ``connection`` where one is given."""
    from alembic.config import Config

    config = Config()
    # Alembic reads the location through a template in which % is special.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
