"""What every engine offers, and how it fails: a session runs one query after the other and leaves no trace of any."""

from typing import Protocol

from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.results import Result


class UnreachableError(RuntimeError):
    """The database cannot be used right now; the text says why and the way out, and holds nothing secret."""


class UnusableError(UnreachableError):
    """The database cannot be used until somebody changes something, so trying again by itself is no use."""


class LostError(RuntimeError):
    """The connection ended while a query ran; that may be the fault of the query or not."""


class Session(Protocol):
    """A connection to one database on which SQL can do nothing but read."""

    def run(self, sql: str, watch: Watch) -> Result:
        """Run one query within the limits. Raises UnreachableError, and LostError when the connection ended."""
        ...

    def is_alive(self) -> bool:
        """Tell whether another query can be run."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


def emptiness_queries(table: str) -> list[str]:
    """Return queries that give no row when ``table`` holds none: as it is spelled, then as Postgres folds it.

    >>> emptiness_queries('Orders')
    ['SELECT 1 FROM "Orders" LIMIT 1', 'SELECT 1 FROM "orders" LIMIT 1']
    """
    spellings = dict.fromkeys([table, table.lower()])
    quoted = (".".join(f'"{part}"' for part in name.replace('"', '""').split(".")) for name in spellings)
    return [f"SELECT 1 FROM {name} LIMIT 1" for name in quoted]  # noqa: S608 - quoted above
