"""Rejected rows of one user: found by comparing hashes, whatever form the row has, and removed alone."""

import json
from pathlib import Path

import pytest

from feedback_pipeline.erasure.erase import would_erase
from feedback_pipeline.intake import import_corrections
from feedback_pipeline.intake.rejects import count_rejects, count_unattributable, remove_rejects
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, opt_out
from feedback_pipeline_tests.intake.files import read_lines, row, write_lines
from feedback_pipeline_tests.store.samples import settings_at

ZOES = "hash of zoe 7"


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
    assert count_rejects(settings, is_zoe, ZOES) == 2

    assert remove_rejects(settings, is_zoe, ZOES) == 2

    assert [path.name for path in folder.iterdir()] == ["in.jsonl.1.rejects.jsonl"]
    assert read_lines(folder / "in.jsonl.1.rejects.jsonl") == [other]
    assert remove_rejects(settings, is_zoe, ZOES) == 0


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


def test_a_row_cut_before_its_user_is_still_the_users(sqlite_store: Store, settings: Settings, tmp_path: Path):
    long = {"comment": "x" * 3_000, "rating": 9}
    rows = [{**long, **row("a", rating=9, user_id="zoe 7")}, {**long, **row("b", rating=9, user_id="ann")}]
    path = write_lines(tmp_path / "in.jsonl", *rows)
    with path.open("a") as file:
        file.write('{"comment": "' + "y" * 3_000 + '", "user_id": "zoe 7"\n')
    report = import_corrections(sqlite_store, [path], settings=settings)
    zoe = sqlite_store.hash_user("zoe 7")
    [rejects] = report.rejects_paths
    assert "zoe 7" not in rejects.read_text()

    assert count_unattributable(settings) == 1
    assert remove_rejects(settings, lambda raw: sqlite_store.hash_user(raw) == zoe, zoe) == 1

    assert [entry.get("user_hash") for entry in read_lines(rejects)] == [sqlite_store.hash_user("ann"), None]
    not_reached = would_erase(settings, sqlite_store, zoe)["not_reached"]
    assert [item["why"][:5] for item in not_reached if item["what"] == "cut rows in rejects/"] == ["1 wer"]
