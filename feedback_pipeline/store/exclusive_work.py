"""One process at a time for work in the background, however many were started; the next takes over when it dies."""

from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from feedback_pipeline.store.engine import LOCK_SPACE, LOCKS, Store
from feedback_pipeline.store.errors import clear_errors


class Turn:
    """The right to do one kind of background work over a store; ``name`` is one of ``LOCKS``.

    It ends with the process, however that ends. On SQLite it is a lock file beside the database, on Postgres an
    advisory lock of one connection.
    """

    def __init__(self, store: Store, name: str):
        self._store, self._key = store, LOCKS[name]
        self._connection: Connection | None = None
        database = store.engine.url.database or ""
        is_sqlite = store.engine.dialect.name == "sqlite"
        self._file = FileLock(Path(database).with_name(f"{name}.lock")) if is_sqlite else None

    def is_ours(self) -> bool:
        """Take the turn where it is free; tell whether it is ours now. Raises StoreUnavailableError."""
        if self._file is None:
            return self._still_ours() or self._take_advisory()
        try:
            self._file.acquire(timeout=0)
        except Timeout:
            return False
        # Each ``acquire`` is counted; held is held.
        while self._file.lock_counter > 1:
            self._file.release()
        return True

    def give_back(self) -> None:
        """Let another process have it."""
        if self._file is not None:
            self._file.release(force=True)
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _still_ours(self) -> bool:
        """Tell whether the connection that holds the lock is alive: with it the server gives the lock away."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(select(1))
        except DBAPIError:
            self.give_back()
            return False
        return True

    def _take_advisory(self) -> bool:
        with clear_errors(self._store.engine.url):
            connection = self._store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.scalar(select(func.pg_try_advisory_lock(LOCK_SPACE, self._key))):
                self._connection = connection
                return True
            connection.close()
        return False
