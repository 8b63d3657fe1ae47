import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from feedback_pipeline.store import (
    DatabaseUnreachableError,
    InvalidDdlError,
    Store,
    UnknownDatabaseError,
    UnknownDialectError,
    databases_by_id,
    get_database,
    list_databases,
    register_database,
)

DDL = "CREATE TABLE river (name TEXT PRIMARY KEY, length INTEGER); CREATE TABLE lake (name TEXT, area REAL);"
SCHEMA = {"river": {"name": "TEXT", "length": "INTEGER"}, "lake": {"name": "TEXT", "area": "REAL"}}


@pytest.fixture
def geo(tmp_path: Path) -> Path:
    path = tmp_path / "geo.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(DDL)
    connection.close()
    return path


def test_a_schema_is_read_from_ddl(store: Store) -> None:
    registered = register_database(store, "geo", "SQLite", ddl=DDL)

    assert registered.schema == SCHEMA
    assert get_database(store, "geo") == registered
    assert registered.dialect == "sqlite"


def test_a_schema_is_read_from_a_url_a_path_and_ddl_alike(store: Store, geo: Path) -> None:
    by_url = register_database(store, "by url", "sqlite", url=f"sqlite:///{geo}")
    by_path = register_database(store, "by path", "sqlite", url=str(geo))
    by_ddl = register_database(store, "by ddl", "sqlite", ddl=DDL)

    assert by_url.schema == by_path.schema == SCHEMA
    assert by_url.schema_fingerprint == by_path.schema_fingerprint == by_ddl.schema_fingerprint
    assert by_path.url == f"sqlite:///{geo}"


def test_views_count_and_broken_ones_do_not_matter(store: Store, geo: Path) -> None:
    connection = sqlite3.connect(geo)
    connection.executescript("CREATE VIEW long_river AS SELECT name FROM river; CREATE VIEW odd AS SELECT * FROM gone;")
    connection.close()

    schema = register_database(store, "geo", "sqlite", url=str(geo)).schema

    assert schema == {**SCHEMA, "long_river": {"name": "TEXT"}}


def test_a_postgres_schema_is_read(store: Store, empty_postgres_url: Callable[[], str]) -> None:
    from sqlalchemy import create_engine, text

    url = empty_postgres_url()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE river (name varchar(80), at timestamptz, tags text[])"))
    engine.dispose()

    schema = register_database(store, "pg", "postgres", url=url).schema

    assert schema == {"river": {"name": "VARCHAR(80)", "at": "TIMESTAMP WITH TIME ZONE", "tags": "TEXT[]"}}


def test_registering_again_replaces(store: Store) -> None:
    register_database(store, "geo", "sqlite", ddl=DDL)

    register_database(store, "geo", "postgres")
    register_database(store, "geo", "postgres")

    assert [(item.dialect, item.schema) for item in list_databases(store)] == [("postgres", None)]
    assert list(databases_by_id(store)) == ["geo"]


def test_the_fingerprint_follows_the_schema_only(store: Store) -> None:
    first = register_database(store, "a", "sqlite", ddl="CREATE TABLE t (a INTEGER, b TEXT)")
    same = register_database(store, "b", "postgres", ddl="create table T (B text, A int)")
    other = register_database(store, "c", "sqlite", ddl="CREATE TABLE t (a INTEGER)")

    assert first.schema_fingerprint == same.schema_fingerprint != other.schema_fingerprint


@pytest.mark.parametrize(("name", "meant"), [("postgresql", "postgres"), ("snowflak", "snowflake"), ("mssql", "tsql")])
def test_an_unknown_dialect_suggests_what_was_meant(store: Store, name: str, meant: str) -> None:
    with pytest.raises(UnknownDialectError, match=f"'{name}' is not known. Did you mean .*{meant}"):
        register_database(store, "geo", name)


def test_a_missing_file_is_an_error_and_stays_missing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnreachableError, match=r"Database geo: .*unable to open.*Correct its URL"):
        register_database(store, "geo", "sqlite", url=str(tmp_path / "gone.db"))

    assert not (tmp_path / "gone.db").exists()
    assert list_databases(store) == []


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://ann:hunter2@127.0.0.1:1/x", "nonsense://x", "mysql+nodriver://x/y"]
)
def test_an_unreachable_url_is_explained_without_password(store: Store, url: str) -> None:
    with pytest.raises(DatabaseUnreachableError, match="Database geo: ") as caught:
        register_database(store, "geo", "postgres", url=url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("ddl", ["", "SELECT 1", "CREATE TABLE (", "CREATE TABLE t AS SELECT 1"])
def test_ddl_without_tables_is_refused(store: Store, ddl: str) -> None:
    with pytest.raises(InvalidDdlError, match="The DDL of geo"):
        register_database(store, "geo", "sqlite", ddl=ddl)


def test_an_unknown_database_suggests_a_known_one(store: Store) -> None:
    register_database(store, "geography", "sqlite")

    with pytest.raises(UnknownDatabaseError, match="Did you mean geography"):
        get_database(store, "geografy")


def test_a_password_does_not_show(store: Store) -> None:
    registered = register_database(store, "geo", "postgres", url="postgresql://ann:hunter2@h/x", ddl=DDL)

    assert registered.url
    assert "hunter2" not in repr(registered)


def test_views_in_ddl_are_known_with_their_columns(sqlite_store: Store) -> None:
    ddl = "CREATE TABLE t (a INT, b TEXT); CREATE VIEW v AS SELECT a, b AS c FROM t; CREATE VIEW w AS SELECT * FROM t"

    schema = register_database(sqlite_store, "geo", "sqlite", ddl=ddl).schema

    assert schema is not None
    assert {name: sorted(columns) for name, columns in schema.items()} == {
        "t": ["a", "b"],
        "v": ["a", "c"],
        "w": ["a", "b"],
    }
