import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from feedback_pipeline.store import Store, StoreUnavailableError, count_by_status, open_store, submit_many
from feedback_pipeline_tests.store.samples import settings_at, submission, submit

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write everything, so be somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder all of whose parents anybody may enter, unlike those of tmp_path."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_failed_transaction_leaves_nothing_behind(store: Store) -> None:
    def write_and_fail() -> None:
        with store.begin() as session:
            session.execute(text("INSERT INTO opt_outs VALUES ('x', '2025-01-01 00:00:00')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()

    with store.read() as session:
        assert session.scalar(text("SELECT count(*) FROM opt_outs")) == 0


def test_reading_goes_on_while_another_writes(store: Store) -> None:
    submit(store, "k1")
    with store.begin() as session:
        session.execute(text("DELETE FROM feedback"))

        counts = count_by_status(store)

    assert counts["pending"] == 1


def test_missing_folders_are_made(tmp_path: Path) -> None:
    open_store(settings_at(tmp_path / "not" / "there")).close()

    assert (tmp_path / "not" / "there" / "feedback.db").exists()


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "feedback.db").write_text("These are my notes, and they are long enough to look like a header." * 20)

    with pytest.raises(StoreUnavailableError, match=r"feedback\.db.*not a database.*Move the file away"):
        open_store(settings_at(tmp_path))


def test_a_locked_database_says_so(sqlite_store: Store) -> None:
    path = sqlite_store.engine.url.database
    assert path
    impatient = open_store(settings_at(Path(path).parent), busy_timeout_s=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailableError, match=r"database is locked.*wait for it or end it"):
        submit_many(impatient, [submission()])

    other.close()
    impatient.close()


def test_a_read_only_file_is_named(open_folder: Path) -> None:
    open_store(settings_at(open_folder)).close()
    (open_folder / "feedback.db").chmod(0o444)

    with (
        unprivileged(),
        pytest.raises(StoreUnavailableError, match=r"feedback\.db is read-only.*Make .* writable"),
    ):
        open_store(settings_at(open_folder))


def test_a_read_only_folder_is_named(open_folder: Path) -> None:
    open_folder.chmod(0o555)

    with unprivileged(), pytest.raises(StoreUnavailableError, match=r"is read-only.*FEEDBACK_DATABASE_URL"):
        open_store(settings_at(open_folder))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailableError, match=r"folder cannot be created"):
        open_store(settings_at(tmp_path / "file" / "below"))


def test_a_full_disk_says_so_and_keeps_what_was_committed(sqlite_store: Store) -> None:
    submit(sqlite_store, "before")
    many = [submission(f"k{number}", comment="x" * 1_000) for number in range(500)]
    with sqlite_store.begin() as session:
        # SQLite's own limit, at which it answers as on a full disk; the pool hands out the same connection.
        session.execute(text("PRAGMA max_page_count=60"))

    with pytest.raises(StoreUnavailableError, match=r"disk is full.*Free space"):
        submit_many(sqlite_store, many)

    assert count_by_status(sqlite_store)["pending"] == 1


def test_an_unreachable_server_is_named_without_its_password(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, "postgresql+psycopg://ann:hunter2@127.0.0.1:1/feedback?password=hunter2")

    with pytest.raises(StoreUnavailableError, match=r"ann:\*\*\*@127\.0\.0\.1:1/feedback.*Check that") as caught:
        open_store(settings)

    assert "hunter2" not in str(caught.value)


def test_a_server_without_the_database_says_so(postgres_server: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r'"nowhere" does not exist.*Create the database first'):
        open_store(settings_at(tmp_path, f"{postgres_server}/nowhere"))


def test_a_server_that_only_reads_says_so(postgres_store_url: str, tmp_path: Path) -> None:
    store = open_store(settings_at(tmp_path, postgres_store_url))

    def write() -> None:
        with store.begin() as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            session.execute(text("DELETE FROM opt_outs"))

    with pytest.raises(StoreUnavailableError, match=r"read-only transaction.*use the primary"):
        write()
    store.close()


def test_a_mistake_in_a_statement_is_not_blamed_on_the_store(store: Store) -> None:
    def insert_twice() -> None:
        with store.begin() as session:
            for _ in range(2):
                session.execute(text("INSERT INTO opt_outs VALUES ('x', '2025-01-01 00:00:00')"))

    with pytest.raises(IntegrityError):
        insert_twice()


def test_a_missing_driver_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(StoreUnavailableError, match=r"pip install feedback-pipeline\[postgres\]"):
        open_store(settings_at(tmp_path, "postgresql://ann@localhost/feedback"))


@pytest.mark.parametrize("url", ["not a url", "mysql://localhost/feedback", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_hold_a_store_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreUnavailableError, match=r"sqlite:///"):
        open_store(settings_at(tmp_path, url))
