import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import make_url

from feedback_pipeline.execution import Limits, Pair, Target, evidence_of
from feedback_pipeline.execution.postgres_engine import MAX_ROW_BYTES
from feedback_pipeline_tests.execution.samples import IMPATIENT, LIMITS, all_evidence, evidence

ENDLESS = "WITH RECURSIVE r(i) AS (SELECT 1::bigint UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r"


@pytest.fixture(scope="module")
def admin(empty_postgres_url: Callable[[], str]) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a database with a shop, a role that may read it, and one that may do anything."""
    url = make_url(empty_postgres_url()).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("""
            CREATE TABLE orders (id int, city text, total numeric);
            INSERT INTO orders VALUES (1, 'Berlin', 10.5), (2, 'Bonn', 7), (3, 'Berlin', 3);
            CREATE TABLE "Refunds" (id int);
            CREATE SEQUENCE numbers;
            CREATE ROLE reader LOGIN;
            GRANT SELECT ON orders, "Refunds" TO reader;
            CREATE ROLE writer LOGIN;
            GRANT ALL ON ALL TABLES IN SCHEMA public TO writer;
            GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO writer;
            GRANT ALL ON SCHEMA public TO writer;
        """)
        yield connection
        connection.execute("DROP OWNED BY reader; DROP ROLE reader; DROP OWNED BY writer; DROP ROLE writer;")


def url_of(admin: psycopg.Connection, role: str) -> str:
    info = admin.info
    return f"postgresql+psycopg://{role}@{info.host}:{info.port}/{info.dbname}"


@pytest.fixture
def shop(admin: psycopg.Connection) -> str:
    """The URL of a role that could write, were it allowed to here."""
    return url_of(admin, "writer")


def sessions_and_orders(admin: psycopg.Connection) -> tuple[int, int]:
    orders = admin.execute("SELECT count(*) FROM orders").fetchone()
    locks = admin.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
    assert orders is not None
    assert locks is not None
    return locks[0], orders[0]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "DROP TABLE orders",
        "SELECT 1; COMMIT; DROP TABLE orders",
        "SELECT 1; DROP TABLE orders; --",
        "COMMIT; BEGIN READ WRITE; DROP TABLE orders",
        "COMMIT",
        "ROLLBACK",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
        "SELECT * FROM orders FOR UPDATE",
        "SELECT nextval('numbers')",
        "SELECT setval('numbers', 9)",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET default_transaction_read_only = off",
        "SET statement_timeout = 0",
        "DO $$ BEGIN DELETE FROM orders; END $$",
        "CALL anything()",
        "COPY orders TO PROGRAM 'touch /tmp/escaped'",
        "COPY (SELECT 1) TO '/tmp/escaped'",
        "LOCK TABLE orders",
        "LISTEN channel",
        "CREATE TEMP TABLE x AS SELECT 1",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
    ],
)
def test_whatever_does_more_than_read_is_refused(admin: psycopg.Connection, shop: str, sql: str) -> None:
    found = evidence(shop, sql)

    assert (found.outcome, found.answer_outcome) == ("fail", "refused"), found.detail
    assert sessions_and_orders(admin) == (0, 3)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT query_to_xml('DELETE FROM orders RETURNING id', true, true, '')",
        "SELECT query_to_xml('COMMIT', true, true, '')",
        "SELECT * FROM orders) AS q; DROP TABLE orders; --",
        "SELECT 1) AS q(c0) OFFSET 0) AS g; DELETE FROM orders; --",
        "SELECT 1 INTO other",
        "SELECT dblink_exec('dbname=postgres', 'DROP TABLE orders')",
    ],
)
def test_ways_around_lead_nowhere(admin: psycopg.Connection, shop: str, sql: str) -> None:
    assert evidence(shop, sql).outcome == "fail"
    assert sessions_and_orders(admin) == (0, 3)


def test_nothing_of_a_session_is_left_to_the_next_query(admin: psycopg.Connection, shop: str) -> None:
    leftovers = [
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT set_config('search_path', 'nowhere', false)",
        "SELECT pg_advisory_lock(7)",
    ]
    pairs = [(sql, None) for sql in leftovers]
    last = "SELECT city FROM orders WHERE current_setting('search_path') <> 'nowhere' ORDER BY id"

    # Sorted by their text they run in turn on one connection, the last one after all others.
    found = all_evidence(
        shop, [*pairs, (f"{last} LIMIT 1", None), (f"SELECT t.* FROM ({last}) t", None)], replace(LIMITS, workers=1)
    )

    assert [each.answer_outcome for each in found] == ["ok"] * 6
    assert [each.corrected["rows"] for each in found[-2:]] == [1, 3]
    assert sessions_and_orders(admin) == (0, 3)


def test_an_advisory_lock_does_not_outlive_its_query(shop: str) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"

    found = evidence(shop, "SELECT pg_advisory_lock(7)", held, replace(LIMITS, workers=1))

    assert found.answer_outcome == "ok"
    assert found.only_in_generated == [[0]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_sleep(60)",
        ENDLESS,
        "SELECT set_config('statement_timeout', '0', true), pg_sleep(60)",
        "SELECT pg_sleep(0.2) FROM generate_series(1, 300)",
    ],
)
def test_a_query_costs_its_deadline(shop: str, sql: str) -> None:
    started = time.monotonic()

    found = evidence(shop, sql, limits=IMPATIENT)

    assert time.monotonic() - started < 6
    assert (found.outcome, found.answer_outcome) == ("not_checked", "timed_out")


def test_a_lock_held_by_another_is_not_waited_for(admin: psycopg.Connection, shop: str) -> None:
    with admin.transaction():
        admin.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        found = evidence(shop, "SELECT * FROM orders", limits=IMPATIENT)

    assert found.answer_outcome == "timed_out"


@pytest.mark.parametrize(
    "sql", ["SELECT repeat('x', 20000000)", "SELECT repeat('x', 3000) FROM generate_series(1, 900), orders"]
)
def test_more_bytes_than_wanted_are_not_read(shop: str, sql: str) -> None:
    found = evidence(shop, sql, limits=replace(LIMITS, max_bytes=2_000_000))

    assert found.answer_outcome == "too_large"


def test_a_row_that_is_too_large_is_not_even_sent(shop: str) -> None:
    found = evidence(shop, "SELECT 1, repeat('x', 3000000)", limits=replace(LIMITS, max_bytes=2_000_000))

    assert found.corrected["error"] == f"a row of more than {MAX_ROW_BYTES} bytes"


def test_of_a_huge_result_only_the_limit_is_read(shop: str) -> None:
    long = "SELECT 1 FROM orders, generate_series(1, 100000) a, generate_series(1, 9999)"

    found = evidence(shop, long, "SELECT 1", replace(LIMITS, timeout_s=60))

    assert found.corrected["rows"] == LIMITS.max_rows + 1
    assert found.results_equal is False


def test_values_of_all_kinds_are_compared(shop: str) -> None:
    one = """SELECT 1 AS a, 0.1::float8, ARRAY[1.0, 2.5], '{"b": 1, "a": [2]}'::jsonb, 'infinity'::date, NULL::text,
             interval '1 day', '\\x00ff'::bytea, true, 'NaN'::numeric, ROW(1, 'x'), int4range(1, 3)"""
    other = """SELECT 1.0 AS b, 0.1::numeric, ARRAY[1, 2.50], '{"a":[2],"b":1}'::json, 'infinity'::date, NULL::int,
               interval '24 hours' * 1 + interval '1 day' - interval '24 hours', '\\x00ff'::bytea, true, 'NaN'::float8,
               ROW(1, 'x'), int4range(1, 3)"""

    found = evidence(shop, one, other)

    assert found.results_equal is True, found.document()
    assert evidence(shop, "SELECT ''", "SELECT NULL::text").results_equal is False
    assert evidence(shop, "SELECT true", "SELECT 1").results_equal is False


def test_rows_keep_their_order_and_columns_may_share_a_name(shop: str) -> None:
    first = "SELECT id, city AS id FROM orders ORDER BY total;"
    second = "SELECT city, id FROM orders ORDER BY total -- a comment"

    assert evidence(shop, first, second, ordered=True).results_equal is True
    assert evidence(shop, first, second.replace("total", "id"), ordered=True).results_equal is False


@pytest.mark.parametrize(("table", "known"), [('"Refunds"', "Refunds"), ("REFUNDS_VIEW", "REFUNDS_VIEW")])
def test_empty_tables_are_noticed(admin: psycopg.Connection, shop: str, table: str, known: str) -> None:
    admin.execute(
        'CREATE OR REPLACE VIEW refunds_view AS SELECT * FROM "Refunds"; GRANT SELECT ON refunds_view TO writer'
    )

    found = evidence(shop, f"SELECT count(*) FROM {table}", f"SELECT count(id) FROM {table}", tables=(known,))

    assert found.results_equal is None
    assert "empty" in str(found.reason)


def test_a_query_that_ends_its_connection_harms_no_other(shop: str) -> None:
    found = all_evidence(
        shop,
        [("SELECT pg_terminate_backend(pg_backend_pid())", None), ("SELECT count(*) FROM orders", "SELECT 3")],
        replace(LIMITS, workers=1),
    )

    assert [each.answer_outcome for each in found] == ["error", "ok"]
    assert found[1].results_equal is True


def test_each_distinct_query_runs_once(admin: psycopg.Connection, shop: str) -> None:
    admin.execute("CREATE TABLE counted AS SELECT 1 AS id; GRANT SELECT ON counted TO writer")
    same = "SELECT id FROM counted"
    pairs = [Pair("shop", same, f"SELECT {number}") for number in range(40)] + [Pair("shop", same, same)]

    evidence_of(pairs, {"shop": Target("shop", "postgres", shop)}, replace(LIMITS, workers=8))

    # A session reports what it did when it ends, shortly after its connection does.
    deadline = time.monotonic() + 10
    while (_sessions(admin) or not _scans(admin, "counted")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _scans(admin, "counted") == 1


def _scans(admin: psycopg.Connection, table: str) -> int:
    row = admin.execute("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = %s", [table]).fetchone()
    assert row is not None
    return row[0]


def _sessions(admin: psycopg.Connection) -> int:
    row = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'writer'").fetchone()
    assert row is not None
    return row[0]


def test_a_superuser_is_refused(admin: psycopg.Connection) -> None:
    found = evidence(url_of(admin, "postgres"), "SELECT 1")

    assert (found.outcome, found.transient) == ("not_checked", False)
    assert "recheck" in str(found.reason)
    assert "use one that may only read" in found.detail


def test_a_reader_of_server_files_is_refused(admin: psycopg.Connection) -> None:
    admin.execute("GRANT pg_read_server_files TO reader")
    found = evidence(url_of(admin, "reader"), "SELECT 1")
    admin.execute("REVOKE pg_read_server_files FROM reader")

    assert found.outcome == "not_checked"
    assert evidence(url_of(admin, "reader"), "SELECT count(*) FROM orders", "SELECT 3").results_equal is True


def test_an_unreachable_server_is_tried_once_and_the_password_stays_secret() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"postgresql://reader:hunter2secret@127.0.0.1:{port}/shop?application_name=othersecret"
    started = time.monotonic()

    found = all_evidence(url, [(f"SELECT {number}", None) for number in range(50)])

    assert time.monotonic() - started < 10
    assert {each.outcome for each in found} == {"not_checked"}
    assert all(each.transient for each in found)
    assert "secret" not in str([each.document() for each in found])


def test_a_server_that_says_nothing_is_given_up(shop: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://reader@127.0.0.1:{silent.getsockname()[1]}/shop"
        found = evidence(url, "SELECT 1", limits=Limits(1.0, 10, 100_000, 1, 1))

    assert (found.outcome, found.transient) == ("not_checked", True)
