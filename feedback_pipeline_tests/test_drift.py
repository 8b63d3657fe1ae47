"""A database changes under the feedback that was verified on it: real files, real stores."""

import sqlite3
from pathlib import Path

import pytest

from feedback_pipeline.checking import check_and_record, checker_from
from feedback_pipeline.drift import follow_schemas, look_at_schemas
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Store,
    check_again,
    decide,
    get_database,
    get_feedback,
    list_databases,
    register_database,
    stored_submissions,
    submit_many,
)
from feedback_pipeline_tests.store.samples import submission


@pytest.fixture
def rivers(tmp_path: Path) -> Path:
    path = tmp_path / "rivers.sqlite"
    change(path, "CREATE TABLE river (name TEXT, state TEXT)", "INSERT INTO river VALUES ('Elbe', 'Saxony')")
    return path


def change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def submitted(store: Store, settings: Settings, *sqls: str) -> list[str]:
    items = [submission(f"k{number}", corrected_sql=sql) for number, sql in enumerate(sqls)]
    ids = [result.feedback_id for result in submit_many(store, items)]
    check_and_record(store, stored_submissions(store, ids), checker_from(store, settings))
    return ids


def statuses(store: Store, ids: list[str]) -> list[str]:
    return [get_feedback(store, feedback_id)["status"] for feedback_id in ids]


def test_feedback_whose_column_is_gone_becomes_stale_and_the_rest_stays(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    ids = submitted(
        store, store_settings, "SELECT state FROM river", "SELECT name FROM river", "SELECT state FROM river"
    )
    decide(store, ids[:2], "verified", actor="ada")
    decide(store, ids[1:2], "applied", actor="pipeline")
    change(rivers, "ALTER TABLE river DROP COLUMN state")

    report = follow_schemas(store, store_settings)

    assert statuses(store, ids) == ["stale", "applied", "pending"]
    assert (report.stale, list(report.look.changed)) == ([ids[0]], ["geo"])
    last = get_feedback(store, ids[0])["history"][-1]
    assert (last["event"], last["actor"]) == ("stale", "policy:schema")
    assert "state" in last["reason"]


def test_feedback_comes_back_with_its_column(store: Store, store_settings: Settings, rivers: Path) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    ids = submitted(store, store_settings, "SELECT state FROM river")
    decide(store, ids, "verified", actor="ada")
    change(rivers, "ALTER TABLE river RENAME COLUMN state TO country")
    follow_schemas(store, store_settings)
    change(rivers, "ALTER TABLE river RENAME COLUMN country TO state")

    report = follow_schemas(store, store_settings)

    assert (report.restored, statuses(store, ids)) == (ids, ["verified"])


def test_nothing_changes_twice(store: Store, store_settings: Settings, rivers: Path) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    ids = submitted(store, store_settings, "SELECT state FROM river")
    decide(store, ids, "verified", actor="ada")
    change(rivers, "DROP TABLE river", "CREATE TABLE lake (name TEXT)")
    follow_schemas(store, store_settings)
    before = get_feedback(store, ids[0])

    again = follow_schemas(store, store_settings)

    assert (again.look.changed, again.stale, again.restored) == ({}, [], [])
    assert get_feedback(store, ids[0]) == before


def test_registering_another_schema_by_hand_has_the_same_effect(store: Store, store_settings: Settings) -> None:
    register_database(store, "geo", "sqlite", ddl="CREATE TABLE river (name TEXT, state TEXT)")
    ids = submitted(store, store_settings, "SELECT state FROM river")
    decide(store, ids, "verified", actor="ada")
    register_database(store, "geo", "sqlite", ddl="CREATE TABLE river (name TEXT)")

    report = follow_schemas(store, store_settings)

    assert (report.stale, statuses(store, ids)) == (ids, ["stale"])


def test_what_a_reviewer_verified_in_spite_of_its_names_stays(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    ids = submitted(store, store_settings, "SELECT depth FROM river")
    decide(store, ids, "verified", actor="ada", reason="a column of tomorrow", payload={"override": True})
    change(rivers, "ALTER TABLE river ADD COLUMN width REAL")

    follow_schemas(store, store_settings)

    assert statuses(store, ids) == ["verified"]


def test_a_database_that_cannot_be_reached_keeps_its_schema_and_its_feedback(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    ids = submitted(store, store_settings, "SELECT state FROM river")
    decide(store, ids, "verified", actor="ada")
    before = get_database(store, "geo")
    rivers.unlink()

    report = follow_schemas(store, store_settings)

    assert list(report.look.unreachable) == ["geo"]
    assert (get_database(store, "geo"), statuses(store, ids)) == (before, ["verified"])


def test_a_look_changes_nothing(store: Store, rivers: Path) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    before = list_databases(store)
    change(rivers, "ALTER TABLE river ADD COLUMN width REAL")

    look = look_at_schemas(store)

    assert list(look.changed) == ["geo"]
    assert list_databases(store) == before


def test_a_schema_given_as_ddl_stands_whatever_the_database_says(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers), ddl="CREATE TABLE river (name TEXT)")

    report = follow_schemas(store, store_settings)

    assert (report.look.changed, get_database(store, "geo").schema) == ({}, {"river": {"name": "TEXT"}})


def test_checking_again_makes_evidence_anew_where_nothing_else_has_changed(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    ids = submitted(store, store_settings, "SELECT name FROM river")
    change(rivers, "INSERT INTO river VALUES ('Rhine', 'Hesse')")
    submissions = stored_submissions(store, ids)
    before = check_and_record(store, submissions, checker_from(store, store_settings))

    check_again(store, ["geo"])
    after = check_and_record(store, submissions, checker_from(store, store_settings))

    assert get_feedback(store, ids[0])["checks"]["execution"]["corrected"]["rows"] == 2
    assert before["result_digest"] != after["result_digest"]


def test_a_database_that_lost_all_its_tables_is_taken_for_unreachable(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    ids = submitted(store, store_settings, "SELECT state FROM river")
    decide(store, ids, "verified", actor="ada")
    rivers.write_bytes(b"")

    report = follow_schemas(store, store_settings)

    assert "holds no tables any more" in report.look.unreachable["geo"]
    assert statuses(store, ids) == ["verified"]
