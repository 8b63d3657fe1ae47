"""What a run that ended after an erasure brings back is noticed, and removed without touching what is new."""

from pathlib import Path

import pyarrow as pa
import pytest

from feedback_pipeline.doctor import examine
from feedback_pipeline.erasure.erase import finish_open_erasures
from feedback_pipeline.erasure.remains import came_back, reopen_what_came_back
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, any_open_erasure, list_feedback, request_erasure
from feedback_pipeline.store.erasures import last_search
from feedback_pipeline.tables.stages import StageTables
from feedback_pipeline_tests.store.samples import submit

ANN = "ann@example.com"


@pytest.fixture
def tables(tmp_path: Path) -> StageTables:
    return StageTables(str(tmp_path / "data"))


@pytest.fixture
def erased(store: Store, store_settings: Settings) -> list[str]:
    ids = submit(store, "a", "b")
    request_erasure(store, store.hash_user(ANN), keep_consent=True)
    [receipt] = finish_open_erasures(store_settings, store)
    assert receipt["verification"]["total"] == 0
    return ids


@pytest.mark.parametrize("column", ["feedback_id", "feedback_ids"])
def test_rows_written_afterwards_open_the_erasure_again_and_go(
    store: Store, store_settings: Settings, tables: StageTables, erased: list[str], column: str
) -> None:
    values = [*erased, "of another"] if column == "feedback_id" else [erased, ["of another"]]
    tables.write("verified_feedback", pa.table({column: values}))
    # The same user, who still consents, has given something since.
    [new] = submit(store, "c")
    tables.write("checked_feedback", pa.table({"feedback_id": [new], "user_hash": [store.hash_user(ANN)]}))

    [erasure_id] = reopen_what_came_back(store_settings, store)
    [receipt] = finish_open_erasures(store_settings, store)

    assert receipt["erasure_id"] == erasure_id
    assert receipt["removed"]["tables"]["verified_feedback"] == len(values) - 1
    assert receipt["verification"]["total"] == 0
    assert [earlier["removed"]["store"]["feedback"] for earlier in receipt["earlier_passes"]] == [2]
    assert [row["feedback_id"] for row in list_feedback(store)] == [new]
    kept = tables.read_partition("checked_feedback")
    assert kept is not None
    assert kept["feedback_id"].to_pylist() == [new]
    assert reopen_what_came_back(store_settings, store) == []
    assert not any_open_erasure(store)


def test_each_table_is_read_once(
    store: Store, store_settings: Settings, tables: StageTables, erased: list[str]
) -> None:
    stored = tables.write("verified_feedback", pa.table({"feedback_id": ["of another"]}))
    assert reopen_what_came_back(store_settings, store) == []

    # Nobody who reads it again would get through.
    Path(stored.path).write_bytes(b"no Parquet")

    assert reopen_what_came_back(store_settings, store) == []
    last = last_search(store)
    assert last is not None
    assert last[1] == {"verified_feedback/all/" + Path(stored.path).name}


def test_without_any_erasure_nothing_is_read(store: Store, store_settings: Settings, tables: StageTables) -> None:
    stored = tables.write("verified_feedback", pa.table({"feedback_id": ["a"]}))
    Path(stored.path).write_bytes(b"no Parquet")

    assert came_back(store_settings, store) == []


def test_asking_again_for_a_reopened_erasure_is_about_the_user_once_more(
    store: Store, store_settings: Settings, tables: StageTables, erased: list[str]
) -> None:
    tables.write("verified_feedback", pa.table({"feedback_id": erased}))
    submit(store, "c")
    reopen_what_came_back(store_settings, store)

    request_erasure(store, store.hash_user(ANN))
    [receipt] = finish_open_erasures(store_settings, store)

    assert receipt["removed"]["store"]["feedback"] == 1
    assert list_feedback(store) == []


def test_the_doctor_tells_of_it(store: Store, store_settings: Settings, tables: StageTables, erased: list[str]) -> None:
    tables.write("verified_feedback", pa.table({"feedback_id": erased}))

    found = {finding.subject: finding for finding in examine(store_settings)}

    assert found["erasures"].state == "warning"
    assert "came back" in found["erasures"].text
    assert not any_open_erasure(store)
