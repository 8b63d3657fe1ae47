import multiprocessing
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.sessions import UnreachableError
from feedback_pipeline.execution.sqlite_engine import SqliteSession
from feedback_pipeline_tests.execution.samples import (
    ENDLESS,
    IMPATIENT,
    LIMITS,
    all_evidence,
    evidence,
    rows_of,
    sqlite_file,
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return sqlite_file(tmp_path / "shop.sqlite")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "INSERT INTO orders VALUES (9, 'x', 1) RETURNING id",
        "UPDATE orders SET total = 0",
        "DROP TABLE orders",
        "CREATE TABLE x AS SELECT 1",
        "CREATE TEMP TABLE x AS SELECT 1",
        "ATTACH 'other.sqlite' AS other",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "PRAGMA query_only = OFF",
        "PRAGMA database_list",
        "SELECT * FROM pragma_database_list",
        "VACUUM INTO 'copy.sqlite'",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT x",
        "ANALYZE",
        "REINDEX",
        "SELECT load_extension('evil.so')",
        "SELECT 1; DROP TABLE orders",
    ],
)
def test_whatever_is_not_one_query_is_refused(shop: Path, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.parent)
    before = shop.read_bytes()

    found = evidence(shop, sql)

    assert (found.outcome, found.answer_outcome) == ("fail", "refused")
    assert found.results_equal is None
    assert shop.read_bytes() == before
    assert [path.name for path in shop.parent.iterdir()] == ["shop.sqlite"]


@pytest.mark.parametrize(
    "sql", ["", "-- nothing", "EXPLAIN SELECT 1", "SELECT readfile('x')", "SELECT writefile('x', 'y')"]
)
def test_what_holds_no_query_or_calls_functions_of_the_shell_fails(shop: Path, sql: str) -> None:
    assert evidence(shop, sql).outcome == "fail"


def test_an_endless_query_costs_its_deadline(shop: Path) -> None:
    started = time.monotonic()

    found = evidence(shop, ENDLESS, limits=IMPATIENT)

    assert time.monotonic() - started < 5
    assert (found.outcome, found.answer_outcome) == ("not_checked", "timed_out")
    assert "0.5 s" in found.detail


def test_the_deadline_counts_for_rows_that_come_slowly(shop: Path) -> None:
    slow = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i FROM r WHERE i % 3000000 = 0"
    started = time.monotonic()

    found = evidence(shop, slow, limits=IMPATIENT)

    assert time.monotonic() - started < 5
    assert found.answer_outcome == "timed_out"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT zeroblob(1000000000)",
        "SELECT hex(zeroblob(400000000))",
        "SELECT hex(randomblob(200000000))",
        "SELECT replace(hex(zeroblob(200000)), '0', hex(zeroblob(200000)))",
        "SELECT group_concat(hex(zeroblob(100000))) FROM orders a, orders b, orders c, orders d",
        "SELECT " + ", ".join(f"hex(zeroblob(200000 + {n}))" for n in range(1_500)),
    ],
    ids=["zeroblob", "hex", "randomblob", "replace", "group_concat", "many columns"],
)
def test_a_memory_bomb_is_too_large(shop: Path, sql: str) -> None:
    found = evidence(shop, sql)

    assert found.answer_outcome == "too_large"
    assert found.result_digest is None


def test_one_step_that_takes_quadratic_time_ends_soon(shop: Path) -> None:
    sql = (
        "WITH RECURSIVE s(x, y) AS (VALUES (replace(hex(zeroblob(150000)), '0', 'a'), "
        "replace(hex(zeroblob(75000)), '0', 'a') || 'b')), r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) "
        "SELECT sum(instr(x || i, y)) FROM s, r"
    )
    started = time.monotonic()

    found = evidence(shop, sql, limits=IMPATIENT)

    assert time.monotonic() - started < 15
    assert found.answer_outcome == "timed_out"


def test_of_a_huge_result_only_the_limit_is_read(shop: Path) -> None:
    numbers = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 3000000) SELECT i FROM r"
    started = time.monotonic()

    found = evidence(shop, numbers, "SELECT 1")

    assert time.monotonic() - started < LIMITS.timeout_s
    assert found.results_equal is False
    assert found.corrected["outcome"] == "too_large"
    assert found.corrected["rows"] == LIMITS.max_rows + 1
    assert "at least 1001" in found.detail


def test_rows_beyond_the_byte_limit_are_not_read(shop: Path) -> None:
    wide = "SELECT hex(zeroblob(50000)) FROM orders a, orders b, orders c, orders d"

    found = evidence(shop, wide, wide + " WHERE 1", replace(LIMITS, max_bytes=1_000_000))

    assert found.results_equal is None
    assert found.reason == "both results are too large to compare"


def test_text_that_is_no_utf8_is_kept_apart(tmp_path: Path) -> None:
    bad = sqlite_file(
        tmp_path / "bad.sqlite",
        "CREATE TABLE t (a); INSERT INTO t VALUES (CAST(x'ff41' AS TEXT)), (CAST(x'fe41' AS TEXT))",
    )

    assert rows_of(bad, "SELECT a FROM t") == [["\\udcfeA"], ["\\udcffA"]]
    assert evidence(bad, "SELECT a FROM t LIMIT 1", "SELECT a FROM t LIMIT 1 OFFSET 1").results_equal is False


@pytest.mark.parametrize("sql", ["SELECT '\ud800'", "SELECT 'a\0b'"])
def test_text_that_sqlite_does_not_take_is_an_error_of_the_query(shop: Path, sql: str) -> None:
    assert evidence(shop, sql).outcome == "fail"


def test_a_wal_database_with_a_writer_is_read(shop: Path) -> None:
    with closing(sqlite3.connect(shop, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM orders")

        assert rows_of(shop, "SELECT count(*) FROM orders") == [[3]]


def test_a_wal_database_at_rest_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    # Root may write everywhere, so the reading is left to somebody else, in a folder they can reach.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = sqlite_file(folder / "shop.sqlite")
        with closing(sqlite3.connect(shop)) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
        folder.chmod(0o555)

        found = _read_by_nobody(shop, "SELECT count(*) FROM orders")

    assert found == "[(3,)]"


def _read_by_nobody(shop: Path, sql: str) -> str:
    """Run a query in a process that has given up the rights of root."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=_answer_as_nobody, args=(shop, sql, answers))
    process.start()
    answer = answers.get()
    process.join()
    return answer


def _answer_as_nobody(shop: Path, sql: str, answers: Any) -> None:
    nobody = 65534
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(nobody)
        os.setuid(nobody)
    try:
        answers.put(str(SqliteSession(shop, LIMITS).run(sql, Watch()).rows))
    except UnreachableError as error:
        answers.put(str(error))


def test_a_short_lock_is_waited_for(shop: Path) -> None:
    with closing(sqlite3.connect(shop, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(0.5, writer.execute, ["ROLLBACK"])
        release.start()

        found = evidence(shop, "SELECT count(*) FROM orders", limits=replace(LIMITS, timeout_s=10))
        release.join()

    assert found.answer_outcome == "ok"


def test_a_lasting_lock_is_to_be_tried_again(shop: Path) -> None:
    with closing(sqlite3.connect(shop, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        locked = evidence(shop, "SELECT count(*) FROM orders", "SELECT 3", IMPATIENT)

    assert (locked.outcome, locked.transient, locked.results_equal) == ("not_checked", True, None)
    assert "locked" in locked.detail
    assert evidence(shop, "SELECT count(*) FROM orders", "SELECT 3").results_equal is True


def test_a_file_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database " * 100)

    found = evidence(tmp_path / "notes.txt", "SELECT 1")

    assert (found.outcome, found.transient) == ("not_checked", True)
    assert "not a database" in found.detail


def test_a_missing_file_is_unreachable_and_stays_missing(tmp_path: Path) -> None:
    found = evidence(f"sqlite:///{tmp_path}/none.sqlite", "SELECT 1")

    assert (found.outcome, found.transient) == ("not_checked", True)
    assert found.detail.startswith("unverifiable by execution: ")
    assert list(tmp_path.iterdir()) == []


def test_a_copied_file_needs_no_right_to_write(shop: Path, tmp_path: Path) -> None:
    copy = shutil.copy(shop, tmp_path / "copy.sqlite")
    Path(copy).chmod(0o444)

    assert rows_of(copy, "SELECT count(*) FROM orders") == [[3]]


def test_one_query_leaves_nothing_to_the_next(shop: Path) -> None:
    bad, good, again = all_evidence(
        shop,
        [
            ("SELECT zeroblob(1000000000)", None),
            ("SELECT hex(zeroblob(200000)) AS z", None),
            ("DELETE FROM orders", None),
        ],
        replace(LIMITS, workers=1),
    )

    assert [found.answer_outcome for found in (bad, good, again)] == ["too_large", "ok", "refused"]
