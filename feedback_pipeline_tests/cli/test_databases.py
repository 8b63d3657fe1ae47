import sqlite3
from pathlib import Path

from feedback_pipeline_tests.cli.conftest import Run, RunJson


def test_a_database_is_added_and_listed(run: Run, run_json: RunJson, shop: Path) -> None:
    [listed] = run_json("databases", "list")["databases"]
    assert (listed["database_id"], listed["dialect"], listed["tables"], listed["has_url"]) == (
        "shop",
        "sqlite",
        11,
        True,
    )
    assert "shop" in run("databases", "list").stdout


def test_ddl_is_enough(run_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "geo.sql").write_text("CREATE TABLE river (name TEXT);")
    added = run_json("databases", "add", "geo", "--dialect", "postgres", "--ddl", tmp_path / "geo.sql")["database"]
    assert (added["tables"], added["has_url"]) == (1, False)


def test_passwords_are_never_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "geo.sql").write_text("CREATE TABLE river (name TEXT);")
    url = "postgresql+psycopg://ann:s3cret@db.example/geo"
    added = run("databases", "add", "geo", "--dialect", "postgres", "--ddl", "geo.sql", "--url", url)
    assert added.exit_code == 0, added.output
    assert "s3cret" not in added.output + run("databases", "list").output + run("databases", "list", "--json").output


def test_what_cannot_be_registered_is_explained(run: Run) -> None:
    cases = {
        ("--dialect", "sqlit"): "Did you mean sqlite",
        ("--dialect", "sqlite", "--url", "missing.sqlite"): "cannot be read",
        ("--dialect", "sqlite", "--ddl", "missing.sql"): "missing.sql: the DDL cannot be read",
    }
    for options, problem in cases.items():
        result = run("databases", "add", "geo", *options)
        assert result.exit_code == 1
        assert problem in result.stderr
        assert "Traceback" not in result.output
    assert run("databases", "add", " ", "--dialect", "sqlite").exit_code == 2
    assert "no database is registered" in run("databases", "list").stdout


def test_a_refresh_tells_what_changed(run: Run, run_json: RunJson, shop: Path) -> None:
    unchanged = run_json("databases", "refresh")
    with sqlite3.connect(shop) as connection:
        connection.execute("ALTER TABLE reviews RENAME TO opinions")
    connection.close()
    changed = run_json("databases", "refresh")
    assert (unchanged["changed"], changed["changed"]) == ([], ["shop"])
    assert "changed schemas: none" in run("databases", "refresh").stdout


def test_a_database_out_of_reach_is_named_and_nothing_else_happens(run: Run, run_json: RunJson, shop: Path) -> None:
    before = run_json("databases", "list")
    shop.unlink()
    result = run("databases", "refresh")
    assert result.exit_code == 0
    assert "Database shop" in result.stdout
    assert run_json("databases", "list") == before
