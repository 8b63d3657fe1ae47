from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine, text

from feedback_pipeline.store.schema_reading import DatabaseUnreachableError, fingerprint, schema_from_url


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "it's a shop.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("""
            CREATE TABLE orders (id INTEGER PRIMARY KEY, total DECIMAL(9, 2), tags VARCHAR[], spot STRUCT(x INTEGER));
            CREATE VIEW totals AS SELECT total FROM orders;
            CREATE SCHEMA hidden;
            CREATE TABLE hidden.orders (other INTEGER);
        """)
    return path


def test_tables_and_views_of_a_duckdb_file_are_read(shop: Path) -> None:
    assert schema_from_url("shop", f"duckdb:///{shop}") == {
        "orders": {"id": "INTEGER", "total": "DECIMAL(9,2)", "tags": "VARCHAR[]", "spot": "STRUCT(x INTEGER)"},
        "totals": {"total": "DECIMAL(9,2)"},
    }


def test_the_fingerprint_of_a_duckdb_file_follows_its_schema(shop: Path) -> None:
    before = fingerprint(schema_from_url("shop", f"duckdb:///{shop}"), "duckdb")
    with duckdb.connect(shop) as connection:
        connection.execute("INSERT INTO orders VALUES (1, 2, [], NULL)")
    same = fingerprint(schema_from_url("shop", f"duckdb:///{shop}"), "duckdb")
    with duckdb.connect(shop) as connection:
        connection.execute("ALTER TABLE orders ADD COLUMN city VARCHAR")

    assert same == before
    assert fingerprint(schema_from_url("shop", f"duckdb:///{shop}"), "duckdb") != before


def test_a_duckdb_file_is_only_read(shop: Path) -> None:
    before = shop.read_bytes()

    schema_from_url("shop", f"duckdb:///{shop}")

    assert shop.read_bytes() == before
    assert list(shop.parent.iterdir()) == [shop]


@pytest.mark.parametrize("content", [None, "no database"])
def test_a_duckdb_file_that_cannot_be_read_is_explained(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "none.duckdb"
    if content is not None:
        path.write_text(content)

    with pytest.raises(
        DatabaseUnreachableError, match=r"Database shop: .*none\.duckdb cannot be read .*Correct its URL"
    ):
        schema_from_url("shop", f"duckdb:///{path}")

    assert path.exists() == (content is not None)


def test_materialized_views_of_postgres_count(empty_postgres_url: Callable[[], str]) -> None:
    url = empty_postgres_url()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id int)"))
        connection.execute(text("CREATE VIEW ids AS SELECT id FROM orders"))
        connection.execute(text("CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM orders"))
    engine.dispose()

    assert schema_from_url("shop", url) == {
        "counts": {"n": "BIGINT"},
        "ids": {"id": "INTEGER"},
        "orders": {"id": "INTEGER"},
    }
