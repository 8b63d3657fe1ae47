import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.duckdb_engine import DuckdbSession
from feedback_pipeline_tests.execution.samples import ENDLESS, IMPATIENT, LIMITS, all_evidence, evidence, rows_of


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("duckdb") / "it's a shop.duckdb"
    with closing(duckdb.connect(path)) as connection:
        connection.execute("""
            CREATE TABLE orders AS SELECT * FROM (VALUES (1, 'Berlin', 10.5), (2, 'Bonn', 7)) AS t(id, city, total);
            CREATE TABLE refunds (id INTEGER);
            CREATE TABLE odd AS SELECT {'a': 1, 'b': [1.5, 2]} AS s, TIMESTAMPTZ '2024-01-01 12:00:00+00' AS moment;
        """)
    return path


@pytest.fixture
def shop(file: Path) -> str:
    return f"duckdb:///{file}"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "WITH x AS (DELETE FROM orders RETURNING id) SELECT * FROM x",
        "CREATE TEMP TABLE x AS SELECT 1",
        "COPY orders TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/other.duckdb'",
        "DETACH evidence",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CHECKPOINT",
        "BEGIN",
        "SELECT 1; DELETE FROM orders",
        "",
        "-- nothing",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('https://example.com/x.parquet')",
        "SELECT * FROM 'orders.csv'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM query('COPY orders TO ''{folder}/out.csv''')",
    ],
)
def test_whatever_is_not_one_query_of_this_file_fails(file: Path, shop: str, sql: str) -> None:
    before = file.read_bytes()

    found = evidence(shop, sql.format(folder=file.parent))

    assert found.outcome == "fail"
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("sql", "outcome"),
    [
        ("COPY orders TO 'x'", "refused"),
        ("SELECT * FROM read_csv('/etc/passwd')", "refused"),
        ("SELECT nothing FROM orders", "error"),
        ("SELECT '\ud800'", "error"),
        ("SELECT " + "[" * 100 + "1" + "]" * 100, "error"),
    ],
)
def test_what_was_refused_is_told_from_errors(shop: str, sql: str, outcome: str) -> None:
    assert evidence(shop, sql).answer_outcome == outcome


def test_an_endless_query_costs_its_deadline(shop: str) -> None:
    found, after = all_evidence(shop, [(ENDLESS, None), ("select count(*) from orders", "SELECT 2")], IMPATIENT)

    assert (found.outcome, found.answer_outcome) == ("not_checked", "timed_out")
    assert after.results_equal is True


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 4000000000)",
        "SELECT repeat('x', 1000000) FROM range(2048)",
        "SELECT range(1000000000)",
        "SELECT a.range, b.range FROM range(100000) a, range(1000000) b ORDER BY 2, 1",
    ],
)
def test_a_memory_bomb_harms_nobody(shop: str, sql: str) -> None:
    started = time.monotonic()

    found, after = all_evidence(
        shop, [(sql, None), ("select count(*) from orders", "SELECT 2")], replace(LIMITS, timeout_s=10, workers=1)
    )

    assert found.answer_outcome == "too_large"
    assert after.results_equal is True
    assert time.monotonic() - started < 20


def test_a_process_that_ran_out_of_memory_takes_no_other_query(file: Path) -> None:
    watch = Watch()
    with closing(watch), closing(DuckdbSession(file, LIMITS, watch)) as session:
        harmless = session.run("SELECT 1", watch)
        assert (harmless.outcome, session.is_alive()) == ("ok", True)

        bomb = session.run("SELECT repeat('x', 1000000) FROM range(2048)", watch)

        assert (bomb.outcome, session.is_alive()) == ("too_large", False)


def test_a_step_that_cannot_be_interrupted_is_ended(shop: str) -> None:
    started = time.monotonic()

    found, after = all_evidence(
        shop, [("SELECT lpad('x', 2000000000, 'y')", None), ("select count(*) from orders", "SELECT 2")], IMPATIENT
    )

    assert time.monotonic() - started < 10
    assert found.answer_outcome in ("timed_out", "too_large")
    assert after.results_equal is True


def test_of_a_huge_result_only_the_limit_is_read(shop: str) -> None:
    assert evidence(shop, "SELECT * FROM range(10000000000)", "SELECT 1").results_equal is False


def test_structs_lists_and_times_are_compared(shop: str) -> None:
    found = evidence(shop, "SELECT s, moment FROM odd", "SELECT moment, {'a': 1.0, 'b': [1.5, 2.0]} FROM odd")

    assert found.results_equal is True
    assert rows_of(shop, "SELECT moment FROM odd") == [["2024-01-01 12:00:00+00:00"]]


def test_empty_tables_are_noticed(shop: str) -> None:
    found = evidence(shop, "SELECT count(*) FROM REFUNDS", "SELECT count(id) FROM refunds", tables=("REFUNDS",))

    assert found.results_equal is None


def test_a_file_that_is_open_for_writing_is_to_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "busy.duckdb"
    with closing(duckdb.connect(path)):
        found = evidence(f"duckdb:///{path}", "SELECT 1")

    assert (found.outcome, found.transient) == ("not_checked", True)
    assert "for writing" in found.detail
    assert evidence(f"duckdb:///{path}", "SELECT 1").outcome == "pass"


def test_a_file_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_text("no database")

    assert evidence(f"duckdb:///{tmp_path}/x.duckdb", "SELECT 1").transient
