"""Postgres, through psycopg: a cursor in a READ ONLY transaction that is always rolled back.

``DECLARE … CURSOR FOR`` takes one SELECT and nothing else, so no statement can end the transaction or change the
session. The cursor is then declared once more around the same SELECT, so that the server leaves out the values of rows
that are too large, and read row by row. What a SELECT may do by calling functions is left to the rights of the
role; roles that may reach the server's files are refused.
"""

import contextlib
import math
import os
import re
import socket
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from feedback_pipeline.execution.contracts import Limits
from feedback_pipeline.execution.deadlines import Deadline, Watch
from feedback_pipeline.execution.postgres_values import adapt
from feedback_pipeline.execution.results import Outcome, Result, RowCollector
from feedback_pipeline.execution.sessions import LostError, UnreachableError, UnusableError
from feedback_pipeline.execution.urls import without_secrets

if TYPE_CHECKING:
    from psycopg import Connection

MAX_ROW_BYTES = 1024 * 1024
"""Rows that take more on the server are not sent."""

_GRACE_S = 2.0
"""How long after its deadline the server may take to end a query, before the connection is cut."""

_MAX_CONNECT_S = 10

_BEGIN = """
BEGIN TRANSACTION READ ONLY;
SET LOCAL statement_timeout = {timeout};
SET LOCAL lock_timeout = {timeout};
SET LOCAL idle_in_transaction_session_timeout = {idle};
SET LOCAL cursor_tuple_fraction = 1;
"""

_MAY_REACH_FILES = """
SELECT EXISTS (
    SELECT FROM pg_roles
    WHERE (rolname = session_user AND rolsuper)
    OR (
        rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
        AND pg_has_role(session_user, oid, 'member')
    )
)
"""

_QUERY = re.compile(r"\s*(--|/\*|\(|(select|with|values|table)\b)", re.IGNORECASE)
_SYNTAX_ERROR = "42601"
_REFUSED_STATES = ("25006", "42501", "0A000")
"""Read-only transaction, insufficient privilege, and what a cursor is not made for (writing in WITH)."""
_SIZE_CLASSES = ("53", "54")
"""Insufficient resources, program limit exceeded."""


class PostgresSession:
    """A connection on which every query runs in a read-only transaction of its own."""

    def __init__(self, url: URL, limits: Limits):
        self._limits = limits
        self._max_row_bytes = min(limits.max_bytes, MAX_ROW_BYTES)
        timeout = max(int(limits.timeout_s * 1000), 1)
        self._begin = _BEGIN.format(timeout=timeout, idle=timeout + int(_GRACE_S * 1000)).encode()
        self._connection = _connected(url, limits.timeout_s)

    def run(self, sql: str, watch: Watch) -> Result:
        """Run one query within the limits. Raises LostError when the connection ended meanwhile."""
        import psycopg

        rows = RowCollector(self._limits)
        with watch.limit(self._limits.timeout_s + _GRACE_S, self._cut) as deadline:
            try:
                return self._in_transaction(sql, rows)
            except psycopg.Error as error:
                return self._failed(error, deadline, rows)
            except ValueError as error:
                # Text that Postgres does not take, such as half a surrogate.
                return rows.ended("error", str(error))
            except MemoryError:
                return rows.ended("too_large", "out of memory")

    def is_alive(self) -> bool:
        """Tell whether the connection stands."""
        return not self._connection.closed

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _in_transaction(self, sql: str, rows: RowCollector) -> Result:
        if not _QUERY.match(sql):
            return rows.ended("refused", "only SELECT is allowed")
        try:
            self._connection.execute(self._begin)
            return self._fetched(sql.rstrip(" \t\r\n;"), rows)
        finally:
            self._leave_no_trace()

    def _leave_no_trace(self) -> None:
        if not self._connection.closed:
            self._connection.execute("ROLLBACK")
            # Also what outlives a transaction, such as advisory locks.
            self._connection.execute("DISCARD ALL")

    def _fetched(self, sql: str, rows: RowCollector) -> Result:
        self._declare(sql)
        described = self._connection.pgconn.describe_portal(b"evidence")
        names = [described.fname(column) or b"" for column in range(described.nfields)]
        rows.columns = tuple(name.decode("utf-8", "replace") for name in names)
        if not names:
            return rows.ended("refused", "it gives no columns")
        self._connection.execute("CLOSE evidence")
        self._declare(_guarded(sql, len(names), self._max_row_bytes))
        return self._read(rows)

    def _declare(self, sql: str) -> None:
        # Asking for binary brings the extended protocol, which takes one statement only.
        self._connection.execute(f"DECLARE evidence NO SCROLL CURSOR FOR {sql}".encode(), binary=True)

    def _read(self, rows: RowCollector) -> Result:
        with contextlib.closing(self._stream()) as stream:
            for fits, *row in stream:
                if not fits:
                    return rows.ended("too_large", f"a row of more than {self._max_row_bytes} bytes")
                if not rows.add(row):
                    break
        return rows.result()

    def _stream(self) -> Generator[Any, None, None]:
        with self._connection.cursor() as cursor:
            yield from cursor.stream(f"FETCH FORWARD {self._limits.max_rows + 1} FROM evidence".encode())

    def _failed(self, error: Any, deadline: Deadline, rows: RowCollector) -> Result:
        from psycopg import errors

        if deadline.passed or isinstance(error, errors.QueryCanceled | errors.LockNotAvailable):
            return rows.ended("timed_out", f"not done after {self._limits.timeout_s:g} s")
        if self._connection.closed:
            raise LostError("the connection to Postgres has ended") from error
        message = error.diag.message_primary or str(error).split("\n")[0]
        return rows.ended(_outcome_of(error.sqlstate or "", message), message)

    def _cut(self) -> None:
        """End the connection from another thread, without waiting for the server."""
        import psycopg

        # Either of them says that it has ended already.
        with contextlib.suppress(OSError, psycopg.Error), _same_socket(self._connection) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)


def _same_socket(connection: "Connection[Any]") -> socket.socket:
    return socket.socket(fileno=os.dup(connection.fileno()))


def _guarded(sql: str, columns: int, max_bytes: int) -> str:
    """Return SQL for the rows of ``sql``, in their order, with NULL in place of everything in a row that is too large.

    The first column tells whether the row fits. OFFSET 0 keeps Postgres from computing that once per column.
    """
    names = [f"c{number}" for number in range(columns)]
    values = ", ".join(f"CASE WHEN fits THEN {name} END" for name in names)
    # Whatever SQL this is, it runs where it can do nothing but read.
    return (
        f"SELECT fits, {values} FROM (SELECT q.*, pg_column_size(q.*) <= {max_bytes} AS fits "  # noqa: S608
        f"FROM ({sql}\n) AS q({', '.join(names)}) OFFSET 0) AS guarded"
    )


def _outcome_of(state: str, message: str) -> Outcome:
    if state in _REFUSED_STATES or (state == _SYNTAX_ERROR and "multiple commands" in message):
        return "refused"
    return "too_large" if state[:2] in _SIZE_CLASSES else "error"


def _connected(url: URL, timeout_s: float) -> "Connection[Any]":
    try:
        import psycopg
        from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
    except ImportError as error:
        raise UnreachableError("psycopg is not installed: pip install 'feedback-pipeline[postgres]'") from error
    try:
        _, options = PGDialect_psycopg().create_connect_args(url)
        wait_s = max(2, min(math.ceil(timeout_s), _MAX_CONNECT_S))
        settings = {"connect_timeout": wait_s, **options, "client_encoding": "utf8"}
        connection = psycopg.connect(**settings, autocommit=True, prepare_threshold=None)
    except (psycopg.Error, ValueError) as error:
        raise UnreachableError(f"the server does not let us in ({without_secrets(str(error), url)})") from error
    try:
        _require_harmless_role(connection)
    except BaseException:
        connection.close()
        raise
    adapt(connection)
    return connection


def _require_harmless_role(connection: "Connection[Any]") -> None:
    (may_reach_files,) = connection.execute(_MAY_REACH_FILES).fetchone() or (True,)
    if may_reach_files:
        raise UnusableError(
            "its URL names a role that may reach the server's files, as a superuser may: use one that may only read "
            "the tables, then run 'feedback-pipeline databases recheck'"
        )
