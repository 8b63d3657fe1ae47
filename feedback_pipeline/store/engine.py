"""Opening the store: one engine, one way to begin a transaction, always at the current schema."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import migrations
from feedback_pipeline.store.errors import OTHER_URL, StoreUnavailableError, clear_errors, unavailable
from feedback_pipeline.store.identity import UserHasher
from feedback_pipeline.store.types import canonical_json
from feedback_pipeline.store.write_turns import TooManyWaitError, TurnTimeoutError, WriteTurns

BUSY_TIMEOUT_S = 30.0

MOST_WAITING = 80
"""Writers of one process that may wait for each other on SQLite, where waiting has an end. Those who only read must
find a thread beside them."""

CONNECTIONS_KEPT, MORE_CONNECTIONS = 20, 20
"""Of one process: as many as the API works on requests at the same time, half of them only while there is a rush."""

LOCKS = {
    "migrations": 1,
    "events": 2,
    "interactions": 3,
    "databases": 4,
    "triage": 5,
    "reservations": 6,
    "retirement_proposals": 7,
}
LOCK_SPACE = 0x0FEEDBAC
"""First half of Postgres' advisory lock keys, so that ours never meet another program's."""

READ_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {"sqlite_begin": "DEFERRED"},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


@dataclass(frozen=True)
class Store:
    """The open system of record.

    Attributes:
        engine: where transactions run.
        hash_user: turns a raw user id into what is stored instead.
        turn: what a writer of this process holds. SQLite has one writer, and whoever finds it at work sleeps and looks
            again, so that some wait for seconds while others pass; threads that take turns wait for the work alone.
            Yields the moment (of the monotonic clock) until which the writer may go on waiting, or None.

    """

    engine: Engine
    hash_user: Callable[[str], str]
    turn: Callable[[], AbstractContextManager[Any]] = nullcontext

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Yield a session in one writing transaction: committed at the end, rolled back on any error.

        Raises StoreUnavailableError when the database cannot be reached or written.
        """
        with self.turn() as until, clear_errors(self.engine.url):
            engine = self.engine if until is None else self.engine.execution_options(wait_until=until)
            with Session(engine) as session, session.begin():
                yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session that only reads: one snapshot for all its queries, and no writer waits for it.

        Raises StoreUnavailableError when the database cannot be reached.
        """
        engine = self.engine.execution_options(**READ_OPTIONS[self.engine.dialect.name])
        with clear_errors(engine.url), Session(engine) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def lock(session: Session, name: str) -> None:
    """Let one writer at a time through, until the end of the transaction; ``name`` is one of ``LOCKS``.

    On SQLite the transaction itself does that. On Postgres it makes event_seq grow in the order of commits:
    without it, a reader that has seen number 7 could miss number 6 forever.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(LOCK_SPACE, LOCKS[name])))


def open_store(settings: Settings, *, busy_timeout_s: float | None = None) -> Store:
    """Open the store that ``settings`` name, creating and migrating it where needed.

    ``busy_timeout_s`` is how long to wait for other writers, in this process and elsewhere together, or for a free
    connection; on SQLite, whoever finds ``MOST_WAITING`` others waiting is refused at once. By default any number
    waits, and writers on Postgres wait for each other without end. Raises StoreUnavailableError with the way out when
    the database cannot be reached, opened or written.
    """
    url = _url(settings.store_url)
    hasher = UserHasher(settings)
    if url.get_backend_name() == "sqlite":
        _prepare_file(url)
        seconds = BUSY_TIMEOUT_S if busy_timeout_s is None else busy_timeout_s
        store = Store(_sqlite_engine(url, seconds), hasher, _turns(url, busy_timeout_s))
    else:
        store = Store(_postgres_engine(url, busy_timeout_s), hasher)
    try:
        _migrate(store)
    except migrations.NewerStoreError as error:
        raise unavailable(url, str(error), f"Upgrade feedback-pipeline, {OTHER_URL}.") from error
    return store


def _migrate(store: Store) -> None:
    with store.read() as session:
        if migrations.is_current(session.connection()):
            return
    _keep_write_ahead_log(store.engine)
    with store.begin() as session:
        lock(session, "migrations")
        # Another process may have migrated while this one waited for the lock.
        if not migrations.is_current(session.connection()):
            migrations.upgrade(session.connection())


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise StoreUnavailableError(
            "FEEDBACK_DATABASE_URL is not a database URL. Write sqlite:///path/feedback.db or "
            "postgresql+psycopg://user:password@host/name."
        ) from error
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise unavailable(url, f"{url.drivername} is not supported", "Use sqlite:/// or postgresql+psycopg://.")
    return url


def _postgres_engine(url: URL, busy_timeout_s: float | None) -> Engine:
    try:
        engine = _new_engine(url, busy_timeout_s, pool_pre_ping=True)
    except ImportError as error:
        way_out = "Run `pip install feedback-pipeline[postgres]`."
        raise unavailable(url, "the Postgres driver psycopg is not installed", way_out) from error
    if busy_timeout_s is not None:
        _limit_waiting(engine, busy_timeout_s)
    return engine


def _limit_waiting(engine: Engine, seconds: float) -> None:
    """Have Postgres give up waiting for a lock, and the driver for a server that does not answer."""

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        options.setdefault("connect_timeout", max(2, round(seconds)))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = {round(seconds * 1_000)}")
        connection.commit()


def _new_engine(url: URL, pool_timeout_s: float | None, **options: Any) -> Engine:
    return create_engine(
        url,
        json_serializer=canonical_json,
        # Errors are logged, and what is stored has no business in a log.
        hide_parameters=True,
        pool_size=CONNECTIONS_KEPT,
        max_overflow=MORE_CONNECTIONS,
        pool_timeout=BUSY_TIMEOUT_S if pool_timeout_s is None else pool_timeout_s,
        **options,
    )


def _turns(url: URL, busy_timeout_s: float | None) -> Callable[[], AbstractContextManager[float | None]]:
    turns = WriteTurns(None if busy_timeout_s is None else MOST_WAITING)

    @contextmanager
    def taken() -> Iterator[float | None]:
        until = None if busy_timeout_s is None else time.monotonic() + busy_timeout_s
        try:
            with turns.taken(BUSY_TIMEOUT_S if busy_timeout_s is None else busy_timeout_s):
                yield until
        except TooManyWaitError as error:
            raise unavailable(url, f"{MOST_WAITING} others wait to write", "Try again in a moment.") from error
        except TurnTimeoutError as error:
            raise unavailable(
                url, "database is locked", "Another part of this process is writing: try again."
            ) from error

    return taken


def _sqlite_engine(url: URL, busy_timeout_s: float) -> Engine:
    engine = _new_engine(url, busy_timeout_s, connect_args={"timeout": busy_timeout_s})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes too late and never locks; `begin` below replaces it.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        mode, until = options.get("sqlite_begin", "IMMEDIATE"), options.get("wait_until")
        # What was waited for the turn is no longer left; and the connection may have served such a writer before.
        seconds = busy_timeout_s if until is None else max(0.0, until - time.monotonic())
        connection.exec_driver_sql(f"PRAGMA busy_timeout={round(seconds * 1_000)}")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _keep_write_ahead_log(engine: Engine) -> None:
    """Switch a SQLite file to WAL, for good: readers and the writer no longer wait for each other."""
    if engine.dialect.name != "sqlite":
        return
    with clear_errors(engine.url):
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()


def _prepare_file(url: URL) -> None:
    """Create the folder of a SQLite store and refuse, before anything is written, what cannot work."""
    if not url.database or url.database == ":memory:":
        raise unavailable(url, "a store in memory is gone with its process", "Name a file: sqlite:///path/feedback.db.")
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unavailable(url, f"its folder cannot be created ({error.strerror})", _writable(path.parent)) from error
    for place in (path, path.parent):
        if place.exists() and not _can_write(place):
            raise unavailable(url, f"{place} is read-only for this user", _writable(place))


def _can_write(place: Path) -> bool:
    return os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _writable(place: Path) -> str:
    return f"Make {place} writable, {OTHER_URL}."
