"""The process in which DuckDB runs SQL: ``python -m feedback_pipeline.execution.duckdb_worker``.

DuckDB does not count every allocation against its memory limit, nor can every step be interrupted, so it runs where
the operating system bounds memory and the parent can end it. Requests and answers are pickles on standard input and
output: first the path and the limits, answered with a problem or None; then one SQL after the other, each answered with
its ``Result`` and whether another may follow. None may once memory has run out: some of it stays taken, and the next
query, harmless as it may be, would then end the process.
"""

import contextlib
import os
import pickle
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from feedback_pipeline.execution.contracts import Limits
from feedback_pipeline.execution.results import Result, RowCollector

MEMORY_LIMIT = "512MiB"
"""What DuckDB may use by its own account; beyond it a query fails, since it may not write to disk either."""

ADDRESS_SPACE = 1024 * 1024 * 1024
"""What the process may allocate beyond what it needs to start."""

_ROWS_AT_ONCE = 64
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": MEMORY_LIMIT,
    "threads": "1",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Open the database, then answer one SQL after the other until the requests end."""
    # Pickles are safe here: they come from the process that started this one.
    path, limits = pickle.load(requests)  # noqa: S301
    try:
        connection = _opened(path)
    except duckdb.Error as error:
        _send(answers, str(error))
        return
    _bound_memory()
    _send(answers, None)
    while True:
        try:
            sql = pickle.load(requests)  # noqa: S301
        except EOFError:
            return
        result, goes_on = _run(connection, sql, limits)
        _send(answers, (result, goes_on))
        if not goes_on:
            return


def _opened(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config=_CONFIG)
    location = str(path).replace("'", "''")
    connection.execute(f"ATTACH '{location}' AS evidence (READ_ONLY)")
    connection.execute("USE evidence")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _bound_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        # Only some systems know it. Elsewhere DuckDB's own limit and the deadline have to do.
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _run(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits) -> tuple[Result, bool]:
    rows = RowCollector(limits)
    try:
        return _interruptible(connection, sql, limits, rows), True
    except (MemoryError, duckdb.OutOfMemoryException) as error:
        return rows.ended("too_large", _first_line(error) or "out of memory"), False


def _interruptible(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits, rows: RowCollector) -> Result:
    timer = threading.Timer(limits.timeout_s, connection.interrupt)
    timer.start()
    try:
        refusal = _refusal(connection, sql)
        return rows.ended("refused", refusal) if refusal else _fetched(connection, sql, rows)
    except duckdb.InterruptException:
        return rows.ended("timed_out", f"not done after {limits.timeout_s:g} s")
    except duckdb.PermissionException as error:
        return rows.ended("refused", _first_line(error))
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, ValueError, OverflowError, ImportError) as error:
        return rows.ended("error", _first_line(error))
    finally:
        timer.cancel()


def _refusal(connection: duckdb.DuckDBPyConnection, sql: str) -> str | None:
    # DuckDB itself does not survive half a surrogate; this raises ValueError.
    sql.encode()
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        return f"it holds {len(statements)} statements instead of one" if statements else "it holds no query"
    try:
        kind = statements[0].type
    except ValueError:
        # DuckDB's Python module has no name for every kind there is.
        return "only SELECT is allowed"
    return None if kind == duckdb.StatementType.SELECT else f"only SELECT is allowed, and it is {kind.name}"


def _fetched(connection: duckdb.DuckDBPyConnection, sql: str, rows: RowCollector) -> Result:
    cursor = connection.execute(sql)
    rows.columns = tuple(column[0] for column in cursor.description or ())
    while batch := cursor.fetchmany(_ROWS_AT_ONCE):
        if not all(map(rows.add, batch)):
            break
    return rows.result()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]


def _send(answers: BinaryIO, answer: Any) -> None:
    pickle.dump(answer, answers)
    answers.flush()


def _main() -> None:
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
