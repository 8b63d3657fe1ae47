"""SQLite, in this process: a file opened for reading, and an authorizer that allows nothing but reading.

An endless query is ended from outside and by a progress handler. What one step may cost is bounded by SQLite's own
limits, so that no single one eats time or memory: the longest value follows from how many values the query can hold.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from feedback_pipeline.execution.contracts import Limits
from feedback_pipeline.execution.deadlines import Deadline, Watch
from feedback_pipeline.execution.results import Result, RowCollector
from feedback_pipeline.execution.sessions import UnreachableError

MAX_VALUE_BYTES = 512 * 1024
"""Longest value. Some functions take quadratic time in one step, and a step cannot be interrupted."""

MEMORY_BYTES = 128 * 1024 * 1024
"""What all values that one query can hold at the same time may take."""

_STEPS_BETWEEN_LOOKS = 50_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 250_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
_REFUSED_FUNCTIONS = frozenset(
    (
        "load_extension",
        "fts3_tokenizer",
        "readfile",
        "writefile",
        "edit",
        "fsdir",
        "lsmode",
        "zipfile",
        "sqlar_compress",
    )
)
_REFUSALS = {
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_PRAGMA: "PRAGMA",
    sqlite3.SQLITE_TRANSACTION: "transaction control",
    sqlite3.SQLITE_SAVEPOINT: "transaction control",
}

_PRIMARY_CODE = 0xFF
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNUSABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM)
_TOO_LARGE = (sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_FULL)


class SqliteSession:
    """A read-only connection to a SQLite file."""

    def __init__(self, path: Path, limits: Limits):
        self._limits = limits
        self._due = float("inf")
        self._refused: str | None = None
        self._connection = _opened(path, limits.timeout_s)
        for limit, value in _LIMITS.items():
            self._connection.setlimit(limit, value)
        self._connection.text_factory = _text
        self._connection.set_authorizer(self._authorize)
        self._connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)

    def run(self, sql: str, watch: Watch) -> Result:
        """Run one query within the limits. Raises UnreachableError."""
        self._due = time.monotonic() + self._limits.timeout_s
        self._refused = None
        rows = RowCollector(self._limits)
        with watch.limit(self._limits.timeout_s, self._connection.interrupt) as deadline:
            try:
                self._bound_values(sql)
                return self._fetched(sql, rows)
            except sqlite3.Error as error:
                return self._failed(error, deadline, rows)
            except MemoryError:
                return rows.ended("too_large", "out of memory")
            except ValueError as error:
                # Text that no database takes, such as half a surrogate.
                return rows.ended("error", str(error))

    def is_alive(self) -> bool:
        """A file stays open."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _bound_values(self, sql: str) -> None:
        """Let the longest value be what the steps of the program, each of which can hold one, leave room for."""
        longest = min(self._limits.max_bytes, MAX_VALUE_BYTES)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
        with closing(self._connection.execute(f"EXPLAIN {sql}")) as program:
            steps = sum(1 for _ in program)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(longest, MEMORY_BYTES // max(steps, 1)))

    def _fetched(self, sql: str, rows: RowCollector) -> Result:
        with closing(self._connection.execute(sql)) as cursor:
            if cursor.description is None:
                return rows.ended("refused", "it holds no query")
            rows.columns = tuple(column[0] for column in cursor.description)
            rows.add_all(cursor)
        return rows.result()

    def _failed(self, error: sqlite3.Error, deadline: Deadline, rows: RowCollector) -> Result:
        code = _code(error)
        if self._refused or isinstance(error, sqlite3.ProgrammingError):
            return rows.ended("refused", self._refused or str(error))
        if code in _BUSY:
            raise UnreachableError("another process has locked it for writing: try again when that has ended")
        if deadline.passed or code == sqlite3.SQLITE_INTERRUPT:
            return rows.ended("timed_out", f"not done after {self._limits.timeout_s:g} s")
        if code in _UNUSABLE:
            raise UnreachableError(f"its file cannot be read ({error})")
        return rows.ended("too_large" if code in _TOO_LARGE else "error", str(error))

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _READING:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _REFUSED_FUNCTIONS:
            return sqlite3.SQLITE_OK
        what = f"the function {second}" if action == sqlite3.SQLITE_FUNCTION else _REFUSALS.get(action, "a write")
        self._refused = f"only reading is allowed, and it holds {what}"
        return sqlite3.SQLITE_DENY

    def _is_late(self) -> bool:
        return time.monotonic() > self._due


def _text(value: bytes) -> str:
    """Keep what is no UTF-8 apart from everything else, instead of failing."""
    return value.decode("utf-8", "surrogateescape")


def _opened(path: Path, timeout_s: float) -> sqlite3.Connection:
    try:
        return _connection(f"{path.as_uri()}?mode=ro", timeout_s)
    except sqlite3.OperationalError as error:
        if not _is_at_rest(path, error):
            raise UnreachableError(f"its file cannot be read ({error})") from error
    except sqlite3.Error as error:
        raise UnreachableError(f"its file cannot be read ({error})") from error
    # A WAL database in a folder where the files beside it cannot be made; nobody is writing to it.
    try:
        return _connection(f"{path.as_uri()}?mode=ro&immutable=1", timeout_s)
    except sqlite3.Error as error:
        raise UnreachableError(f"its file cannot be read ({error})") from error


def _is_at_rest(path: Path, error: sqlite3.Error) -> bool:
    log = path.with_name(f"{path.name}-wal")
    if _code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return False
    return not log.exists() or log.stat().st_size == 0


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE


def _connection(uri: str, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False, cached_statements=0
    )
    try:
        for pragma in ("query_only = ON", "trusted_schema = OFF", "cache_size = -4096", "mmap_size = 0"):
            connection.execute(f"PRAGMA {pragma}")
        # Reads the schema: what is no database, or cannot be read, shows itself here.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection
