"""Rejected rows of one user: found by comparing hashes, whatever form the row has, and removed alone."""

import json
from pathlib import Path

import pytest

from feedback_pipeline.intake import import_corrections
from feedback_pipeline.intake.rejects import count_rejects, remove_rejects
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, opt_out
from feedback_pipeline_tests.intake.files import read_lines, row, write_lines
from feedback_pipeline_tests.store.samples import settings_at


def is_zoe(raw: str) -> bool:
    return raw == "zoe 7"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "sqlite")


@pytest.mark.parametrize(
    "record",
    [
        '{"uid": "zoe 7", "rating": 9}',
        '{"user": {"id": " zoe 7 "}}',
        'k1,geo,"how, many?",zoe 7,9',
        "k1;geo;zoe 7;9",
        '{"question": "cut off", "user": "zoe 7", "sql": "SELECT',
    ],
)
def test_a_row_of_the_user_is_removed_in_any_form(settings: Settings, record: str):
    folder = settings.local_root / "rejects"
    folder.mkdir(parents=True)
    other = {"row": 2, "record": '{"uid": "zoe 70", "note": "zoe 7 is somebody else"}'}
    write_lines(folder / "in.jsonl.1.rejects.jsonl", {"row": 1, "record": record}, other)
    write_lines(folder / ".in.jsonl.2.rejects.jsonl.99.tmp", {"row": 1, "record": record})
    assert count_rejects(settings, is_zoe) == 2

    assert remove_rejects(settings, is_zoe) == 2

    assert [path.name for path in folder.iterdir()] == ["in.jsonl.1.rejects.jsonl"]
    assert read_lines(folder / "in.jsonl.1.rejects.jsonl") == [other]
    assert remove_rejects(settings, is_zoe) == 0


def test_rows_of_users_who_have_opted_out_are_not_written_down(sqlite_store: Store, settings: Settings, tmp_path: Path):
    opt_out(sqlite_store, sqlite_store.hash_user("7"))
    rows = [row("a", user_id=7, rating=9), row("b", user_id=8, rating=9), row("c", user_id=7), row("d", user_id=8)]
    path = write_lines(tmp_path / "in.jsonl", *rows)

    report = import_corrections(sqlite_store, [path], settings=settings)

    [file] = report.files
    assert (file.read, file.stored, file.already_known, file.rejected, file.opted_out) == (4, 1, 0, 1, 2)
    assert [json.loads(line["record"])["id"] for line in read_lines(report.rejects_paths[0])] == ["b"]
    assert report.as_dict()["opted_out"] == 2


def test_a_row_that_names_a_user_by_a_mapped_column_counts_too(sqlite_store: Store, settings: Settings, tmp_path: Path):
    opt_out(sqlite_store, sqlite_store.hash_user("zoe"))
    path = write_lines(tmp_path / "in.jsonl", row("a", who="zoe", rating=9))

    report = import_corrections(sqlite_store, [path], settings=settings, mapping={"user_id": "who"})

    assert (report.opted_out, report.rejected) == (1, 0)
