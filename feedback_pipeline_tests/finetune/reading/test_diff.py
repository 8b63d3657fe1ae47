"""Which rows differ between two versions: told by their records, read from few files."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.finetune.catalog import DamagedReleaseError, Release, ReleaseCatalog
from feedback_pipeline.finetune.content.selection import ReleasePolicy
from feedback_pipeline.finetune.reading import row_places
from feedback_pipeline.finetune.reading.diff import KINDS, Diff, compare, differences
from feedback_pipeline_tests.finetune.versions import example, publish, publish_format_1


def diff_of(root: Path | str, before: Release, after: Release) -> Diff:
    return compare(ReleaseCatalog(str(root)), before, after)


def ids(diff: Diff, kind: str) -> list[int]:
    return [int(row.row_id, 16) for row in differences(diff, kind)]


def test_rows_are_added_removed_and_changed(tmp_path: Path) -> None:
    before = publish(tmp_path, [example(number) for number in range(40)])
    changed = example(7, weight=3.0, feedback_ids=["f7", "g7"])
    after = publish(tmp_path, [changed if n == 7 else example(n) for n in range(2, 45)])

    diff = diff_of(tmp_path, before, after)

    assert diff.counts == after.manifest["changes"] == {"added": 5, "removed": 2, "changed": 1, "moved": 0}
    assert ids(diff, "added") == [40, 41, 42, 43, 44]
    assert ids(diff, "removed") == [0, 1]
    [row] = differences(diff, "changed")
    assert row.columns == {"weight": (1.0, 3.0), "feedback_ids": (["f7"], ["f7", "g7"])}
    assert (row.row_id, row.database_id, row.question, row.sql) == (f"{7:016x}", "shop", "Question 7?", "SELECT 7")
    assert row.feedback_ids == ["f7", "g7"]


def test_every_row_is_told_with_its_own_values_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many small shards, of which some are kept and some written anew."""
    monkeypatch.setattr("feedback_pipeline.finetune.publishing.layout.SHARD_ROWS", 8)
    publish(tmp_path, [example(number) for number in range(0, 200, 2)])
    before = publish(tmp_path, [example(number) for number in range(0, 200, 3)])
    after = publish(tmp_path, [example(number, evidence="executed") for number in range(0, 200, 5)])

    diff = diff_of(tmp_path, before, after)

    assert ids(diff, "added") == [number for number in range(0, 200, 5) if number % 3]
    assert ids(diff, "removed") == [number for number in range(0, 200, 3) if number % 5]
    assert ids(diff, "changed") == list(range(0, 200, 15))
    every = [row for kind in KINDS for row in differences(diff, kind)]
    assert [row.question for row in every] == [f"Question {int(row.row_id, 16)}?" for row in every]
    assert {row.row_id for row in every if row.columns} == {f"{number:016x}" for number in range(0, 200, 15)}
    assert all(row.columns == {"evidence": ("parsed", "executed")} for row in differences(diff, "changed"))


def test_a_row_that_moved_is_told_with_both_splits_and_its_cluster(tmp_path: Path) -> None:
    before = publish(tmp_path, [example(number) for number in range(60)])
    record = ReleaseCatalog(str(tmp_path)).record_of(before)
    held_out, trained = int((record.splits == 2).argmax()), int((record.splits == 0).argmax())
    rows = [example(number) for number in range(60)]
    rows[trained] = example(trained, cluster_id=f"cluster {held_out}")
    after = publish(tmp_path, rows)

    diff = diff_of(tmp_path, before, after)

    [moved] = differences(diff, "moved")
    assert moved.row_id == f"{trained:016x}"
    assert moved.split == "test"
    cluster = (f"cluster {trained}", f"cluster {held_out}")
    assert moved.columns == {"split": ("train", "test"), "cluster_id": cluster}
    assert ids(diff, "changed") == [trained]


def test_a_question_with_another_answer_names_the_other_row(tmp_path: Path) -> None:
    before = publish(tmp_path, [example(1), example(2)])
    spelled_anew = example(9, canonical_question="question 1", natural_query="Question 1?", sql="SELECT  1")
    after = publish(tmp_path, [example(2), spelled_anew])

    diff = diff_of(tmp_path, before, after)

    [added], [removed] = differences(diff, "added"), differences(diff, "removed")
    assert added.same_question == f"{1:016x}"
    assert removed.same_question == f"{9:016x}"


def test_only_the_first_rows_are_read_where_a_limit_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback_pipeline.finetune.publishing.layout.SHARD_ROWS", 8)
    before = publish(tmp_path, [example(0)])
    after = publish(tmp_path, [example(number) for number in range(200)])
    read: list[str] = []
    reading = row_places.read_data
    monkeypatch.setattr(row_places, "read_data", lambda path: (read.append(path), reading(path))[1])

    diff = diff_of(tmp_path, before, after)
    counted_without_reading = list(read)
    rows = differences(diff, "added", 3)

    assert counted_without_reading == []
    assert [int(row.row_id, 16) for row in rows] == [1, 2, 3]
    assert 1 <= len(set(read)) == len(read) <= 3


def test_versions_without_a_difference_have_none(tmp_path: Path) -> None:
    release = publish(tmp_path, [example(1)])

    diff = diff_of(tmp_path, release, release)

    assert set(diff.counts.values()) == {0}
    assert [differences(diff, kind) for kind in KINDS] == [[], [], [], []]
    assert diff.conditions == {}


def test_all_rows_may_go_and_come_back(tmp_path: Path) -> None:
    first = publish(tmp_path, [example(1), example(2)])
    empty = publish(tmp_path, [])
    third = publish(tmp_path, [example(2)])

    assert ids(diff_of(tmp_path, first, empty), "removed") == [1, 2]
    assert ids(diff_of(tmp_path, empty, third), "added") == [2]


def test_thresholds_and_prompts_that_changed_are_told(tmp_path: Path) -> None:
    before = publish(tmp_path, [example(1)])
    policy = ReleasePolicy(min_rating=5, validation_percent=10, test_percent=10)
    after = publish(tmp_path, [example(1)], policy=policy)

    assert diff_of(tmp_path, before, after).conditions == {"min_rating": (4, 5)}


def test_any_dataset_can_be_compared(tmp_path: Path) -> None:
    before = publish(tmp_path, [example(1)], name="support.queries-2")
    after = publish(tmp_path, [example(1), example(2)], name="support.queries-2")

    assert ids(diff_of(tmp_path, before, after), "added") == [2]


def test_versions_on_an_object_store_can_be_compared(bucket: str) -> None:
    before = publish(bucket, [example(number) for number in range(20)])
    after = publish(bucket, [example(number) for number in range(1, 21)])

    diff = diff_of(bucket, before, after)

    assert (ids(diff, "added"), ids(diff, "removed")) == ([20], [0])


def test_a_version_without_a_record_is_compared_by_the_columns_both_have(tmp_path: Path) -> None:
    rows = {"train": [_old(1), _old(2), _old(3, weight=2)], "test": [_old(4)]}
    before = publish_format_1(tmp_path, rows)
    after = publish(tmp_path, [example(2), example(3), example(4), example(5)])

    diff = diff_of(tmp_path, before, after)

    assert diff.counts == {"added": 1, "removed": 1, "changed": 1, "moved": 0}
    assert (ids(diff, "added"), ids(diff, "removed")) == ([5], [1])
    [changed] = differences(diff, "changed")
    assert changed.columns == {"weight": (2, 1.0)}
    old, new = diff.conditions["columns"]
    assert set(new) - set(old) == {
        *(
            "results_differ",
            "difference",
            "wrong_sql",
            "wrong_differences",
            "rated_down",
            "rated_in",
            "contributors",
            "verified_at",
        ),
        *("schema_fingerprint", "evidence", "sql_skeleton", "difficulty"),
    }


def test_weights_that_differ_by_less_than_a_billionth_are_equal(tmp_path: Path) -> None:
    before = publish(tmp_path, [example(1, weight=0.1 + 0.2), example(2)])
    after = publish(tmp_path, [example(1, weight=0.3), example(2, weight=0.5)])

    diff = diff_of(tmp_path, before, after)

    assert ids(diff, "changed") == [2]


def test_times_and_texts_are_told_as_they_are(tmp_path: Path) -> None:
    before = publish(tmp_path, [example(1, generated_sql=None)])
    when = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    after = publish(tmp_path, [example(1, generated_sql="SELECT 'ä'", verified_at=when)])

    [row] = differences(diff_of(tmp_path, before, after), "changed")

    assert row.columns["generated_sql"] == (None, "SELECT 'ä'")
    assert row.columns["verified_at"] == (datetime(2026, 1, 1, tzinfo=UTC), when)


@pytest.mark.parametrize("damage", ["gone", "cut", "exchanged", "record"])
def test_a_damaged_version_is_named(tmp_path: Path, damage: str) -> None:
    before = publish(tmp_path, [example(1)])
    after = publish(tmp_path, [example(number) for number in range(30)])
    path = Path(after.data_files[0])
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "exchanged":
        pq.write_table(_reversed(pq.read_table(path)), path)
    else:
        path = Path(after.path) / "rows.parquet"
        path.write_bytes(b"PAR1")

    with pytest.raises(DamagedReleaseError, match=path.name):
        differences(diff_of(tmp_path, before, after), "added")


def _reversed(table: pa.Table) -> pa.Table:
    return table.take(list(reversed(range(table.num_rows))))


def _old(number: int, **changes: Any) -> dict[str, Any]:
    return {**example(number), "weight": 1, **changes}
