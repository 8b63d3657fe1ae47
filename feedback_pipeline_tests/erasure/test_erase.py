"""Erasures without Dagster: what comes back meanwhile is seen, and what is not finished stays open."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from feedback_pipeline.erasure.erase import finish_open_erasures, would_erase
from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, any_open_erasure, list_feedback, open_store, request_erasure
from feedback_pipeline.tables.stages import StageTables
from feedback_pipeline_tests.store.samples import settings_at, submit

ANN = "ann@example.com"


@dataclass
class LateRun:
    """A run that has read its input before the erasure, and writes it afterwards, so many times."""

    tables: StageTables
    table: pa.Table
    times: int
    name: str = "late_run"
    written: list[int] = field(default_factory=list)

    def find(self, subject: Subject) -> dict[str, Any]:
        return {}

    def remove(self, subject: Subject) -> dict[str, Any]:
        return {}

    def leftovers(self, subject: Subject) -> int:
        # The search that follows each removal asks here as well: the moment to write.
        if len(self.written) < self.times:
            self.written.append(self.tables.write("verified_feedback", self.table).rows)
        return 0


@pytest.fixture
def tables(tmp_path: Path) -> StageTables:
    return StageTables(str(tmp_path / "data"))


def rows(ids: list[str]) -> pa.Table:
    return pa.table({"feedback_id": [*ids, "of another"]})


def test_what_a_late_run_writes_is_removed_or_reported_and_removed_next_time(
    store: Store, store_settings: Settings, tables: StageTables
) -> None:
    ids = submit(store, "a", "b")
    tables.write("verified_feedback", rows(ids))
    request_erasure(store, store.hash_user(ANN))
    late = LateRun(tables, rows(ids), times=2)

    [first] = finish_open_erasures(store_settings, store, [late])

    assert late.written == [3, 3]
    # The first time it wrote after the tables had been searched and seen to, so the last search found it.
    assert first["verification"]["leftovers"]["tables"] == len(ids)
    assert any_open_erasure(store)
    [second] = finish_open_erasures(store_settings, store)
    assert second["verification"]["total"] == 0
    assert not any_open_erasure(store)
    stored = tables.read_partition("verified_feedback")
    assert stored is not None
    assert stored["feedback_id"].to_pylist() == ["of another"]
    assert len(tables.files()) == 1


def test_two_erasures_that_wait_are_both_carried_out(store: Store, store_settings: Settings) -> None:
    submit(store, "a")
    submit(store, "b", user_id="bob")
    submit(store, "c", user_id="cho")
    for user in (ANN, "bob"):
        request_erasure(store, store.hash_user(user))

    receipts = finish_open_erasures(store_settings, store)

    assert [receipt["subject"] for receipt in receipts] == [store.hash_user(ANN), store.hash_user("bob")]
    assert [row["client_key"] for row in list_feedback(store)] == ["c"]
    assert finish_open_erasures(store_settings, store) == []


def test_the_data_may_lie_on_an_object_store(tmp_path: Path) -> None:
    settings = settings_at(Path("unused"), f"sqlite:///{tmp_path}/feedback.db").model_copy(
        update={"storage_root": "memory://erased"}
    )
    store = open_store(settings)
    ids = submit(store, "a")
    tables = StageTables(settings.storage_root)
    tables.write("verified_feedback", rows(ids))
    tables.write("verified_feedback", rows(ids).slice(0, 1))
    request_erasure(store, store.hash_user(ANN))

    [receipt] = finish_open_erasures(settings, store)

    assert receipt["removed"]["tables"] == {"verified_feedback": 1}
    assert receipt["verification"]["total"] == 0
    assert "object versions" in {item["what"] for item in receipt["not_reached"]}
    store.close()


def test_looking_changes_nothing(store: Store, store_settings: Settings, tables: StageTables) -> None:
    ids = submit(store, "a")
    stored = tables.write("verified_feedback", rows(ids))

    listed = would_erase(store_settings, store, store.hash_user(ANN))

    assert listed["found"] == {"tables": {"verified_feedback": 1}, "store": {"feedback": 1, "events": 2}}
    assert tables.describe("verified_feedback") == stored
    assert not any_open_erasure(store)
