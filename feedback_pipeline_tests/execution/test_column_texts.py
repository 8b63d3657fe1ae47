"""Distinct texts of columns, from real databases of every kind that SQL can be run on."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from sqlalchemy import make_url

from feedback_pipeline.execution import Limits, Target
from feedback_pipeline.execution.column_texts import ColumnTexts, Reading, TextColumn, texts_of
from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.sessions import UnreachableError
from feedback_pipeline_tests.execution.samples import IMPATIENT, LIMITS, sqlite_file

READING = Reading(texts_per_column=3, chars=10)

TABLES = """
CREATE TABLE city (name VARCHAR(80), country CHAR(3));
INSERT INTO city VALUES ('Bonn', 'DE'), ('Berlin', 'DE'), ('Ulm', 'DE'), ('Ulm', 'DE'), ('Aachen', 'DE'), ('', NULL);
CREATE TABLE "Order ""Details" ("it's text" VARCHAR(80), "select" VARCHAR(80));
INSERT INTO "Order ""Details" VALUES ('longer than ten', 'ä'), (NULL, 'Z');
CREATE VIEW large AS SELECT name FROM city WHERE name <> 'Bonn';
"""
ODD = TextColumn('Order "Details', "it's text")

LETTERS = "CREATE TABLE words (word TEXT); INSERT INTO words VALUES "


def read(url: Any, *columns: TextColumn, limits: Limits = LIMITS, reading: Reading = READING) -> list[ColumnTexts]:
    watch = Watch()
    try:
        return list(texts_of(Target("shop", "sqlite", str(url)), columns, limits, reading, watch))
    finally:
        watch.close()


def texts(found: Sequence[ColumnTexts]) -> list[tuple[str, ...]]:
    assert not any(column.problem for column in found), found
    return [column.texts for column in found]


@pytest.fixture(scope="module")
def postgres_shop(empty_postgres_url: Callable[[], str]) -> Iterator[str]:
    """The URL of a role that may read, and nothing else."""
    url = make_url(empty_postgres_url())
    admin = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(admin, autocommit=True)) as connection:
        connection.execute(TABLES.encode())
        connection.execute("""
            CREATE TYPE mood AS ENUM ('glad', 'sad');
            CREATE TABLE moods (mood mood);
            INSERT INTO moods VALUES ('sad'), ('sad'), ('glad');
            CREATE TABLE secrets (word text);
            CREATE TABLE locked (word text);
            CREATE VIEW endless AS SELECT 'x' || pg_sleep(60)::text AS word;
            CREATE ROLE sampler LOGIN;
            GRANT SELECT ON city, "Order ""Details", large, moods, locked, endless TO sampler;
        """)
        yield url.set(username="sampler").render_as_string(hide_password=False)
        connection.execute("DROP OWNED BY sampler; DROP ROLE sampler;")


@pytest.fixture(params=["sqlite", "postgres", "duckdb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("postgres_shop")
    path = tmp_path / f"it's.{request.param}"
    if request.param == "sqlite":
        return str(sqlite_file(path, TABLES))
    with closing(duckdb.connect(path)) as connection:
        connection.execute(TABLES)
    return f"duckdb:///{path}"


def test_the_most_frequent_texts_come_first_then_those_first_in_order(url: str) -> None:
    assert texts(read(url, TextColumn("city", "name"))) == [("Ulm", "Aachen", "Berlin")]


def test_empty_texts_and_null_are_none(url: str) -> None:
    every = replace(READING, texts_per_column=100)

    found = texts(read(url, TextColumn("city", "name"), TextColumn("city", "country"), reading=every))

    assert [sorted(column) for column in found] == [["Aachen", "Berlin", "Bonn", "Ulm"], ["DE"]]


def test_odd_names_are_read_like_any_other_and_long_texts_are_cut_where_that_shows(url: str) -> None:
    assert texts(read(url, ODD, replace(ODD, name="select"))) == [("longer than",), ("Z", "ä")]


def test_views_are_read_like_tables(url: str) -> None:
    assert texts(read(url, TextColumn("large", "name"))) == [("Ulm", "Aachen", "Berlin")]


def test_a_column_that_is_not_there_costs_only_itself(url: str) -> None:
    gone, table, there = read(
        url, TextColumn("city", "mayor"), TextColumn("town", "name"), TextColumn("city", "country")
    )

    assert (gone.texts, table.texts, there.texts) == ((), (), ("DE",))
    assert "mayor" in (gone.problem or "")
    assert "town" in (table.problem or "")


def test_names_of_a_ddl_are_read_as_postgres_folds_them(postgres_shop: str) -> None:
    assert texts(read(postgres_shop, TextColumn("City", "NAME"))) == [("Ulm", "Aachen", "Berlin")]


def test_enumerations_are_texts(postgres_shop: str) -> None:
    assert texts(read(postgres_shop, TextColumn("moods", "mood"))) == [("sad", "glad")]


def test_what_the_role_may_not_read_is_left_out_with_the_reason(postgres_shop: str) -> None:
    (found,) = read(postgres_shop, TextColumn("secrets", "word"))

    assert found == ColumnTexts(TextColumn("secrets", "word"), problem="permission denied for table secrets")


def test_a_locked_table_of_postgres_does_not_hold_up_the_others(
    postgres_shop: str,
) -> None:
    admin = make_url(postgres_shop).set(drivername="postgresql", username="postgres")
    with closing(psycopg.connect(admin.render_as_string(hide_password=False))) as other:
        other.execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")

        locked, free = read(
            postgres_shop, TextColumn("locked", "word"), TextColumn("city", "country"), limits=IMPATIENT
        )

    assert locked.problem == "its table is too slow: the first rows were not done after 0.5 s"
    assert free.texts == ("DE",)


def test_a_view_that_does_not_end_is_left_out_and_asked_no_more(postgres_shop: str) -> None:
    endless = TextColumn("endless", "word")
    started = time.monotonic()

    first, second = read(postgres_shop, endless, endless, limits=IMPATIENT)

    assert (
        first
        == second
        == ColumnTexts(endless, problem="its table is too slow: the first rows were not done after 0.5 s")
    )
    assert time.monotonic() - started < 5


def test_of_a_table_too_large_to_be_counted_in_time_the_first_rows_are(tmp_path: Path) -> None:
    script = """
    CREATE TABLE first (word TEXT); INSERT INTO first VALUES ('b'), ('a'), ('b'), ('c');
    CREATE VIEW numbers AS WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i FROM r;
    CREATE VIEW large AS SELECT word, 'x' AS other FROM first UNION ALL SELECT 'later' || i, 'y' FROM numbers;
    """
    path = sqlite_file(tmp_path / "large.sqlite", script)

    found = read(
        path,
        TextColumn("large", "word"),
        TextColumn("large", "other"),
        TextColumn("first", "word"),
        limits=IMPATIENT,
        reading=Reading(texts_per_column=5, first_rows=3),
    )

    assert texts(found) == [("b", "a"), ("x",), ("b", "a", "c")]
    assert [column.first_rows_only for column in found] == [True, True, False]


def test_no_column_is_begun_when_the_time_of_the_database_is_over(url: str) -> None:
    (found,) = read(url, TextColumn("city", "name"), reading=replace(READING, database_s=-1))

    assert found.problem == "not read: the -1 s of its database were over"


def test_200_000_distinct_texts_are_read_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "many.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE words (word TEXT)")
        connection.executemany("INSERT INTO words VALUES (?)", ((f"word {number:06}",) for number in range(200_000)))
        connection.commit()
    started = time.monotonic()

    (found,) = texts(read(path, TextColumn("words", "word"), reading=Reading(texts_per_column=1_000)))

    assert found == tuple(f"word {number:06}" for number in range(1_000))
    assert time.monotonic() - started < 5


def test_only_texts_of_sqlite_are_read_whatever_the_column_is_declared_as(tmp_path: Path) -> None:
    script = LETTERS + "(12), (x'00ff'), ('a'), (1.5)"
    script += "; CREATE TABLE free (word); INSERT INTO free VALUES ('b'), (2)"

    found = texts(read(sqlite_file(tmp_path / "mixed.sqlite", script), TextColumn("free", "word")))

    assert found == [("b",)]


def test_case_of_texts_counts_even_where_the_column_ignores_it(tmp_path: Path) -> None:
    script = "CREATE TABLE words (word TEXT COLLATE NOCASE); INSERT INTO words VALUES ('b'), ('B')"

    assert texts(read(sqlite_file(tmp_path / "case.sqlite", script), TextColumn("words", "word"))) == [("B", "b")]


@pytest.mark.parametrize("name", ["sqlite:////nowhere/at/all.sqlite", "duckdb:////nowhere.duckdb", "mysql://host/db"])
def test_a_database_that_cannot_be_read_says_so_once(name: str) -> None:
    with pytest.raises(UnreachableError):
        read(name, TextColumn("city", "name"))


def test_a_database_locked_for_writing_says_so(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "busy.sqlite", TABLES)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        with pytest.raises(UnreachableError):
            read(path, TextColumn("city", "name"), limits=IMPATIENT)
