"""Values of registered databases, on real stores and real databases: what is sampled, remembered and removed."""

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from feedback_pipeline import value_samples as module
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, check_again, get_database, register_database
from feedback_pipeline.value_samples import FRESH_FOR, RETRY_AFTER, sample_values, samples_for, value_samples
from feedback_pipeline_tests.store.samples import settings_at

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

RIVERS = """
CREATE TABLE River (Name TEXT, State TEXT, length INTEGER, contact TEXT, password TEXT);
INSERT INTO River VALUES
    ('Elbe', 'Saxony', 1091, 'ana@example.org', 'hunter2'), ('Isar', 'Bavaria', 295, 'b@c.org', 'x');
CREATE TABLE "Order Details" ("it's" TEXT);
INSERT INTO "Order Details" VALUES ('Ship ''Elbe''');
CREATE VIEW saxon AS SELECT Name FROM River WHERE State = 'Saxony';
"""
VALUES = [
    ("Ship 'Elbe'", "order details.it's"),
    ("Elbe", "river.name"),
    ("Isar", "river.name"),
    ("Bavaria", "river.state"),
    ("Saxony", "river.state"),
    ("Elbe", "saxon.name"),
]


@pytest.fixture
def rivers(tmp_path: Path) -> Path:
    path = tmp_path / "rivers.sqlite"
    change(path, RIVERS)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings for what does not depend on the kind of store."""
    return settings_at(tmp_path / "data")


def change(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def changed(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


def names(store: Store, settings: Settings, now: datetime = NOW) -> list[str]:
    """Return the names of rivers that the sample of the database holds."""
    return value_samples(store, settings, ["geo"], now)["geo"].columns.get("river.name", [])


def remembered(settings: Settings) -> list[Path]:
    return sorted(Path(settings.storage_root).glob("cache/value_samples/*"))


def test_values_of_text_columns_come_with_their_columns(store: Store, store_settings: Settings, rivers: Path) -> None:
    register_database(store, "geo", "sqlite", str(rivers))

    assert samples_for(store, store_settings, ["geo"]) == {"geo": VALUES}


def test_personal_data_and_secrets_are_left_out_with_the_reason(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))

    sample = value_samples(store, store_settings, ["geo"])["geo"]

    assert sample.skipped == {
        "river.contact": "holds personal data or secrets: 2 of 2 values",
        "river.password": "holds secrets, by its name",
    }
    assert not any(secret in remembered(store_settings)[0].read_text() for secret in ("ana@", "hunter2"))


def test_values_of_postgres_are_sampled_with_a_role_that_may_only_read(
    sqlite_store: Store, settings: Settings, empty_postgres_url: Callable[[], str]
) -> None:
    url = make_url(empty_postgres_url())
    with closing(psycopg.connect(url.set(drivername="postgresql").render_as_string(), autocommit=True)) as admin:
        admin.execute(RIVERS.encode())
        admin.execute('CREATE ROLE geo_reader LOGIN; GRANT SELECT ON river, "Order Details", saxon TO geo_reader')
        register_database(sqlite_store, "geo", "postgres", url.set(username="geo_reader").render_as_string())

        found = samples_for(sqlite_store, settings, ["geo"])

        admin.execute("DROP OWNED BY geo_reader; DROP ROLE geo_reader")
    assert found == {"geo": VALUES}


def test_what_was_found_is_used_again_without_a_look_at_the_database(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    before = value_samples(store, store_settings, ["geo"], NOW)
    rivers.unlink()

    after = value_samples(store, store_settings, ["geo"], NOW + FRESH_FOR - timedelta(seconds=1))

    assert before == after
    assert after["geo"].values == VALUES


def test_the_same_values_give_the_same_file(
    store: Store, store_settings: Settings, rivers: Path, tmp_path: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    elsewhere = changed(store_settings, storage_root=str(tmp_path / "elsewhere"))

    value_samples(store, store_settings, ["geo"], NOW)
    value_samples(store, elsewhere, ["geo"], NOW)

    assert remembered(store_settings)[0].read_bytes() == remembered(elsewhere)[0].read_bytes()


def test_a_day_later_the_database_is_looked_at_again(store: Store, store_settings: Settings, rivers: Path) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    names(store, store_settings)
    change(rivers, "UPDATE River SET Name = 'Spree' WHERE Name = 'Isar'")

    assert names(store, store_settings, NOW + FRESH_FOR) == ["Elbe", "Spree"]


def test_a_recheck_a_new_schema_and_another_number_of_values_lead_to_a_new_look(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    names(store, store_settings)

    change(rivers, "UPDATE River SET Name = 'Spree' WHERE Name = 'Isar'")
    unchanged = names(store, store_settings)
    check_again(store, ["geo"])
    rechecked = names(store, store_settings)
    change(rivers, "UPDATE River SET Name = 'Oder' WHERE Name = 'Spree'; ALTER TABLE River ADD COLUMN mouth TEXT")
    register_database(store, "geo", "sqlite", str(rivers))
    altered = names(store, store_settings)
    one = names(store, changed(store_settings, sampled_values_per_column=1))

    assert (unchanged, rechecked, altered, one) == (["Elbe", "Isar"], ["Elbe", "Spree"], ["Elbe", "Oder"], ["Elbe"])


def test_a_file_that_is_damaged_is_made_anew(store: Store, store_settings: Settings, rivers: Path) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    names(store, store_settings)
    for damage in ("{", "[]", '{"sample": {}}'):
        remembered(store_settings)[0].write_text(damage)

        assert names(store, store_settings) == ["Elbe", "Isar"]


def test_a_database_without_url_has_no_sample_and_neither_has_one_nobody_registered(
    store: Store, store_settings: Settings
) -> None:
    register_database(store, "ddl", "sqlite", ddl="CREATE TABLE t (name TEXT)")

    assert samples_for(store, store_settings, ["nobody", "ddl"]) == {"ddl": [], "nobody": []}
    assert remembered(store_settings) == []


def test_a_database_that_loses_its_url_loses_its_sample(store: Store, store_settings: Settings, rivers: Path) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    register_database(store, "other", "sqlite", str(rivers))
    samples_for(store, store_settings, ["geo", "other"])
    register_database(store, "geo", "sqlite", ddl="CREATE TABLE River (Name TEXT)")

    found = samples_for(store, store_settings, ["geo"])

    assert found == {"geo": []}
    assert [json.loads(path.read_text())["database_id"] for path in remembered(store_settings)] == ["other"]


def test_values_of_another_database_are_never_given_for_one_that_cannot_be_reached(
    store: Store, store_settings: Settings, rivers: Path, tmp_path: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    names(store, store_settings)
    other = tmp_path / "other.sqlite"
    change(other, RIVERS)
    register_database(store, "geo", "sqlite", str(other))
    other.unlink()

    sample = value_samples(store, store_settings, ["geo"], NOW)["geo"]

    assert (sample.values, sample.problem) == ([], "its file does not exist or may not be read: correct its URL")


def test_sampling_can_be_switched_off_and_leaves_nothing_behind(
    store: Store, store_settings: Settings, rivers: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    names(store, store_settings)

    assert samples_for(store, changed(store_settings, sampled_values_per_column=0), ["geo"]) == {"geo": []}
    assert remembered(store_settings) == []


def test_columns_can_be_left_out_by_pattern(store: Store, store_settings: Settings, rivers: Path) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    settings = changed(store_settings, unsampled_columns="geo.RIVER.*, *.saxon.name")

    sample = value_samples(store, settings, ["geo"])["geo"]

    assert list(sample.columns) == ["order details.it's"]
    assert sample.skipped["saxon.name"] == "left out by FEEDBACK_UNSAMPLED_COLUMNS (*.saxon.name)"
    assert sample.skipped["river.state"] == "left out by FEEDBACK_UNSAMPLED_COLUMNS (geo.river.*)"


def test_a_database_that_is_gone_keeps_its_sample_and_is_tried_again_soon(
    store: Store, store_settings: Settings, rivers: Path, tmp_path: Path
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    names(store, store_settings)
    rivers.rename(tmp_path / "away.sqlite")
    later = NOW + FRESH_FOR

    gone = value_samples(store, store_settings, ["geo"], later)["geo"]
    change(tmp_path / "away.sqlite", "UPDATE River SET Name = 'Spree' WHERE Name = 'Isar'")
    (tmp_path / "away.sqlite").rename(rivers)
    too_soon = names(store, store_settings, later + RETRY_AFTER - timedelta(seconds=1))
    back = names(store, store_settings, later + RETRY_AFTER)

    assert (gone.values, gone.problem) == (VALUES, "its file does not exist or may not be read: correct its URL")
    assert (too_soon, back) == (["Elbe", "Isar"], ["Elbe", "Spree"])


def test_a_database_locked_for_writing_holds_up_no_other(
    store: Store, store_settings: Settings, rivers: Path, tmp_path: Path
) -> None:
    busy = tmp_path / "busy.sqlite"
    change(busy, RIVERS)
    register_database(store, "busy", "sqlite", str(busy))
    register_database(store, "geo", "sqlite", str(rivers))
    settings = changed(store_settings, execution_timeout_s=0.3)
    with closing(sqlite3.connect(busy, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        found = value_samples(store, settings, ["busy", "geo"])

    assert (found["busy"].values, found["geo"].values) == ([], VALUES)
    assert "locked" in (found["busy"].problem or "")


def test_when_the_time_of_a_run_is_over_no_database_is_begun(
    store: Store, store_settings: Settings, rivers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_database(store, "geo", "sqlite", str(rivers))
    monkeypatch.setattr(module, "RUN_S", -1)

    over = value_samples(store, store_settings, ["geo"])["geo"]
    monkeypatch.undo()

    assert (over.values, over.problem) == ([], "not looked at yet: the time of this run was over")
    assert names(store, store_settings) == ["Elbe", "Isar"]


def test_a_database_of_many_values_is_bounded_and_small_columns_keep_all_of_theirs(
    store: Store, store_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.sqlite"
    words = [f"{first}{second}{third}" for first in "abcdefg" for second in "hijklmn" for third in "opqrstu"]
    with closing(sqlite3.connect(path)) as connection:
        for table in ("a", "b", "c"):
            connection.execute(f"CREATE TABLE {table} (word TEXT)")
            connection.executemany(f"INSERT INTO {table} VALUES (?)", ((word,) for word in words))
        connection.execute("CREATE TABLE few AS SELECT CAST(word AS TEXT) AS word FROM a LIMIT 20")
        connection.commit()
    register_database(store, "many", "sqlite", str(path))
    monkeypatch.setattr(module, "MAX_VALUES", 200)

    found = value_samples(store, store_settings, ["many"])["many"].columns

    assert {name: len(values) for name, values in found.items()} == {
        "a.word": 60,
        "b.word": 60,
        "c.word": 60,
        "few.word": 20,
    }
    assert found["a.word"] == words[:60]


def test_a_column_of_200_000_values_is_bounded_in_number_and_time(
    sqlite_store: Store, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "large.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE words (word TEXT)")
        connection.executemany("INSERT INTO words VALUES (?)", ((f"the {n:06} word",) for n in range(200_000)))
        connection.commit()
    register_database(sqlite_store, "large", "sqlite", str(path))
    started = time.monotonic()

    (values,) = samples_for(sqlite_store, settings, ["large"]).values()

    assert len(values) == settings.sampled_values_per_column == 1_000
    assert time.monotonic() - started < 5


def test_the_password_of_a_url_leaves_no_trace_and_may_change(sqlite_store: Store, settings: Settings) -> None:
    ddl = "CREATE TABLE river (name TEXT)"
    sources = []
    for password in ("hunter2", "hunter3"):
        url = f"postgresql+psycopg://ann:{password}@127.0.0.1:1/shop?sslpassword={password}"
        register_database(sqlite_store, "geo", "postgres", url, ddl)

        sample = value_samples(sqlite_store, settings, ["geo"], NOW)["geo"]

        assert "the server does not let us in" in (sample.problem or "")
        document = remembered(settings)[0].read_text()
        assert "hunter" not in document
        sources.append(json.loads(document)["source"])
    assert sources[0] == sources[1]


def test_one_look_at_a_database_never_fails_for_its_sake(sqlite_store: Store, settings: Settings, rivers: Path) -> None:
    register_database(sqlite_store, "geo", "sqlite", str(rivers))
    database = get_database(sqlite_store, "geo")

    there = sample_values(database, settings)
    os.truncate(rivers, 0)
    rivers.write_text("no database at all, for sure" * 100)
    broken = sample_values(database, settings)

    assert there.values == VALUES
    assert (broken.values, broken.problem) == ([], "its file cannot be read (file is not a database)")
