import runpy
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import feedback_pipeline
from feedback_pipeline.intake import ImportReport, InputFileError, MappingError, import_corrections, import_interactions
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, decide, get_feedback, list_feedback, register_database
from feedback_pipeline_tests.intake.files import read_lines, row, write_lines
from feedback_pipeline_tests.store.running import start
from feedback_pipeline_tests.store.samples import settings_at

SAMPLES = Path(feedback_pipeline.__file__).parents[1] / "data" / "samples"
INVALID = {
    "c159": "parses",
    "c401": "parses",
    "c004": "names_resolve",
    "c346": "names_resolve",
    "c046": "names_resolve",
    "c217": "names_resolve",
    "c308": "read_only",
    "c312": "read_only",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "sqlite")


def numbers(report: ImportReport) -> tuple[int, int, int, int]:
    return report.read, report.stored, report.already_known, report.rejected


def test_importing_twice_stores_once(store: Store, store_settings: Settings, tmp_path: Path) -> None:
    rows = [row(f"k{n}", user_id="ann", rating=4) for n in range(2_500)]
    path = write_lines(tmp_path / "rows.jsonl.gz", *rows)
    first = import_corrections(store, [path], settings=store_settings)
    second = import_corrections(store, [path], settings=store_settings)
    assert numbers(first) == (2_500, 2_500, 0, 0)
    assert numbers(second) == (2_500, 0, 2_500, 0)
    assert second.differing == 0
    assert len(list_feedback(store)) == 2_500


def test_rows_without_a_key_are_known_by_their_content(sqlite_store: Store, settings: Settings, tmp_path: Path) -> None:
    rows = [row(None, user_id="ann"), row(None, user_id="bob"), row(None, user_id="ann")]
    path = write_lines(tmp_path / "rows.jsonl", *rows)
    assert numbers(import_corrections(sqlite_store, [path], settings=settings)) == (3, 2, 1, 0)
    assert numbers(import_corrections(sqlite_store, [path], settings=settings)) == (3, 0, 3, 0)


def test_a_row_known_with_another_content_is_kept_and_counted(
    sqlite_store: Store, settings: Settings, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "rows.jsonl", row("k1"), row("k2"))
    import_corrections(sqlite_store, [path], settings=settings)
    write_lines(path, row("k1", corrected_sql="SELECT 2"), row("k2"))
    report = import_corrections(sqlite_store, [path], settings=settings)
    assert (report.already_known, report.differing) == (2, 1)
    assert {r["corrected_sql"] for r in list_feedback(sqlite_store)} == {"SELECT count(*) FROM river"}


def test_rejects_are_listed_the_same_each_time(sqlite_store: Store, settings: Settings, tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "rows.jsonl",
        row("good"),
        "{not json",
        row("k2", rating="good", comment="ü"),
        row("k3", natural_query="x" * 1_000_000),
        row("good", corrected_sql="SELECT 2"),
        row("good"),
    )
    report = import_corrections(sqlite_store, [path], settings=settings)
    assert numbers(report) == (6, 1, 1, 4)
    [rejects] = report.rejects_paths
    assert rejects.parent == settings.local_root / "rejects"
    lines = read_lines(rejects)
    assert [(line["row"], line["field"]) for line in lines] == [
        (2, None),
        (3, "rating"),
        (4, "natural_query"),
        (5, "client_key"),
    ]
    assert "stands in row 1 too" in lines[3]["reason"]
    assert lines[0]["record"] == "{not json"
    assert all(line["file"] == str(path) and len(line["record"]) <= 2_000 for line in lines)
    before = rejects.read_bytes()
    import_corrections(sqlite_store, [path], settings=settings)
    assert rejects.read_bytes() == before


def test_rejects_are_gone_once_the_file_is_repaired(sqlite_store: Store, settings: Settings, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", row("k1", rating=9))
    [rejects] = import_corrections(sqlite_store, [path], settings=settings).rejects_paths
    write_lines(path, row("k1", rating=5))
    report = import_corrections(sqlite_store, [path], settings=settings)
    assert report.rejects_paths == []
    assert list(rejects.parent.iterdir()) == []


def test_mapping_and_what_was_not_used_are_reported(sqlite_store: Store, settings: Settings, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", row("k1", db_id=..., table="t", extra=1))
    mapping = {"database_id": "table", "comment": "note"}
    report = import_corrections(sqlite_store, [path], settings=settings, mapping=mapping)
    assert report.ignored_fields == ["extra"]
    assert report.missing_columns == ["note"]
    assert report.unregistered_databases == Counter(t=1)
    assert list_feedback(sqlite_store)[0]["database_id"] == "t"
    with pytest.raises(MappingError):
        import_corrections(sqlite_store, [path], settings=settings, mapping={"nothing": "table"})


def test_nothing_is_stored_when_one_of_the_files_is_missing(
    sqlite_store: Store, settings: Settings, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "rows.jsonl", row())
    with pytest.raises(InputFileError):
        import_corrections(sqlite_store, [path, tmp_path / "missing.csv"], settings=settings)
    assert list_feedback(sqlite_store) == []


def test_progress_ends_at_the_size_of_the_file(sqlite_store: Store, settings: Settings, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", *(row(f"k{n}") for n in range(1_500)))
    seen: list[int] = []
    import_corrections(sqlite_store, [path], settings=settings, on_progress=lambda _, offset: seen.append(offset))
    assert seen == sorted(seen)
    assert seen[-1] == path.stat().st_size


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Store:
    runpy.run_path(str(SAMPLES / "build_shop.py"))["build"](tmp_path / "shop.sqlite")
    register_database(store, "shop", "sqlite", url=str(tmp_path / "shop.sqlite"))
    return store


def import_sample(store: Store, settings: Settings, **options: Any) -> ImportReport:
    return import_corrections(store, [SAMPLES / "corrections.jsonl"], settings=settings, **options)


def test_verifying_an_import_leaves_invalid_rows_pending_with_their_reason(
    shop: Store, store_settings: Settings
) -> None:
    report = import_sample(shop, store_settings, verify_as="ada")
    pending = {r["client_key"]: r["checks"]["failed_check"] for r in list_feedback(shop, status="pending")}
    assert numbers(report) == (404, 404, 0, 0)
    assert pending == INVALID
    assert report.not_verified == Counter(INVALID.values())
    assert report.verified == 396
    assert not report.unregistered_databases
    verified = {r["client_key"]: r for r in list_feedback(shop, status="verified")}
    assert {"c161", "c233", "c249", "c038"} <= verified.keys()
    history = get_feedback(shop, verified["c161"]["feedback_id"])["history"]
    assert [(e["event"], e["actor"]) for e in history] == [
        ("submitted", "import"),
        ("checked", None),
        ("verified", "ada"),
    ]


def test_known_rows_are_verified_later_unless_somebody_decided(shop: Store, store_settings: Settings) -> None:
    import_sample(shop, store_settings)
    by_key = {r["client_key"]: r["feedback_id"] for r in list_feedback(shop)}
    decide(shop, [by_key["c001"]], "rejected", actor="bob", reason="no")
    report = import_sample(shop, store_settings, verify_as="ada")
    assert (report.already_known, report.verified) == (404, 395)
    assert get_feedback(shop, by_key["c001"])["status"] == "rejected"
    assert import_sample(shop, store_settings, verify_as="ada").verified == 0


def test_sample_interactions(store: Store, store_settings: Settings) -> None:
    path = SAMPLES / "interactions.jsonl"
    assert numbers(import_interactions(store, [path], settings=store_settings)) == (73, 73, 0, 0)
    assert numbers(import_interactions(store, [path], settings=store_settings)) == (73, 0, 73, 0)


IMPORT = """
import sys
from pathlib import Path
from feedback_pipeline.intake import import_corrections
from feedback_pipeline.settings import get_settings
from feedback_pipeline.store import open_store
settings = get_settings()
import_corrections(
    open_store(settings), [Path(PATH)], settings=settings, on_progress=lambda *seen: print(seen[1], flush=True)
)
"""


def test_a_killed_import_is_simply_run_again(store: Store, store_settings: Settings, tmp_path: Path) -> None:
    rows = [row(f"k{n}") for n in range(12_000)]
    path = write_lines(tmp_path / "rows.jsonl", *rows)
    process = start(IMPORT.replace("PATH", repr(str(path))), store_settings)
    assert process.stdout
    for _ in range(3):
        process.stdout.readline()
    time.sleep(0.05)
    process.kill()
    process.communicate(timeout=30)
    stored = len(list_feedback(store))
    assert 3_000 <= stored < 12_000
    report = import_corrections(store, [path], settings=store_settings)
    assert numbers(report) == (12_000, 12_000 - stored, stored, 0)
    keys = Counter(r["client_key"] for r in list_feedback(store))
    assert len(keys) == 12_000
    assert set(keys.values()) == {1}
