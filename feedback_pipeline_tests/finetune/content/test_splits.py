"""Splits: by group, for good, and the same everywhere."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.finetune.content.record import Record, record_of
from feedback_pipeline.finetune.content.rows import FINGERPRINT_BYTES, SPLITS
from feedback_pipeline.finetune.content.splits import assign_splits, group_numbers, keys_of, proportions, split_of
from feedback_pipeline_tests.finetune.samples import deduped

rows = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from("abcdefghijklmnop")),
    min_size=1,
    max_size=40,
    unique_by=lambda r: r[0],
)


def placed(table: pa.Table, earlier: Record | None = None) -> Record:
    """Return the record of the rows placed after an earlier version."""
    table = table.sort_by("example_id")
    keys, (groups, names) = keys_of(table), group_numbers(table["cluster_id"])
    known = earlier.remembered(keys) if earlier else np.full(table.num_rows, -1, np.int8)
    splits = assign_splits(groups, names, known, validation_percent=20, test_percent=20)
    shards, prints = np.zeros(len(splits), np.int32), np.zeros((len(splits), FINGERPRINT_BYTES), np.uint8)
    record = Record(keys, splits, shards, prints)
    return record.with_departed(earlier) if earlier else record


def splits_of(record: Record) -> dict[str, int]:
    return dict(zip(record.row_ids, record.splits.tolist(), strict=True))


def test_the_shares_are_about_what_was_asked_for():
    splits = [SPLITS[split_of(f"cluster {number}", 10, 20)] for number in range(5_000)]

    assert abs(splits.count("validation") / 5_000 - 0.10) < 0.02
    assert abs(splits.count("test") / 5_000 - 0.20) < 0.02


@given(rows)
def test_every_row_is_in_one_split_and_a_cluster_is_never_torn_apart(drawn: list[tuple[int, str]]):
    where = splits_of(placed(deduped(drawn)))

    assert sorted(where) == sorted(f"{number:016x}" for number, _ in drawn)
    for cluster in {cluster for _, cluster in drawn}:
        assert len({where[f"{number:016x}"] for number, other in drawn if other == cluster}) == 1


@given(rows, st.data())
def test_no_row_that_was_held_out_is_ever_trained_on(drawn: list[tuple[int, str]], data: st.DataObject):
    before = placed(deduped(drawn))
    renamed = [(number, data.draw(st.sampled_from("abcxyz"))) for number, _ in drawn]

    after = splits_of(placed(deduped([*renamed, (100, "a"), (101, "z")]), before))

    for row_id, split in splits_of(before).items():
        assert after[row_id] >= split


@given(rows)
def test_new_rows_in_clusters_of_their_own_move_nobody(drawn: list[tuple[int, str]]):
    before = placed(deduped(drawn))

    after = splits_of(placed(deduped([*drawn, *((number, f"new {number}") for number in range(100, 120))]), before))

    assert {row_id: after[row_id] for row_id in splits_of(before)} == splits_of(before)


@given(rows, st.data())
def test_a_row_that_was_gone_for_a_version_comes_back_to_its_split(drawn: list[tuple[int, str]], data: st.DataObject):
    first = placed(deduped(drawn))
    kept = [row for row in drawn if data.draw(st.booleans())] or drawn[:1]

    second = placed(deduped(kept), first)
    third = placed(deduped(drawn), second)

    assert splits_of(third) == splits_of(first)


def test_another_answer_to_a_question_that_was_tested_is_not_trained_on():
    table = deduped((number, f"cluster {number}") for number in range(200))
    before = placed(table)
    tested = [number for number, split in enumerate(before.splits) if SPLITS[split] == "test"]
    renewed = table.take(tested)
    ids = pa.array([f"{number + 1_000:016x}" for number in tested])
    renewed = renewed.set_column(0, "example_id", ids)
    renewed = renewed.set_column(
        renewed.schema.get_field_index("sql_skeleton"), "sql_skeleton", pa.array([f"SELECT new {i}" for i in tested])
    )
    renewed = renewed.set_column(renewed.schema.get_field_index("cluster_id"), "cluster_id", ids)

    after = splits_of(placed(renewed, before))

    assert tested
    assert {after[row_id] for row_id in ids.to_pylist()} == {SPLITS.index("test")}


@given(rows)
def test_a_record_is_read_as_it_was_written(drawn: list[tuple[int, str]]):
    record = placed(deduped(drawn[1:]), placed(deduped(drawn)))

    again = record_of(record.content())

    assert again.content() == record.content()
    assert splits_of(again) == splits_of(record)
    assert again.present.tolist() == record.present.tolist()


@pytest.mark.parametrize(("validation", "test"), [(0, 10), (10, 0), (0, 0)])
def test_a_split_that_nobody_wants_takes_nothing_from_the_others(validation: int, test: int):
    groups, names = np.arange(1_000), pa.array([f"group {number}" for number in range(1_000)])

    splits = assign_splits(groups, names, np.full(1_000, -1), validation_percent=validation, test_percent=test)

    shares = [float((splits == code).mean()) for code in range(3)]
    assert shares[1:] == pytest.approx([validation / 100, test / 100], abs=0.03)


def test_a_new_group_larger_than_a_held_out_split_is_trained_on():
    groups = np.array([0] * 300 + list(range(1, 701)))
    names = pa.array([next(f"n{n}" for n in range(999) if split_of(f"n{n}", 10, 10) == 2), *map(str, range(1, 701))])

    splits = assign_splits(groups, names, np.full(1_000, -1), validation_percent=10, test_percent=10)

    assert set(splits[:300].tolist()) == {0}


def test_the_tolerance_is_wide_where_one_group_is_half_of_all():
    few = np.array([0] * 50 + list(range(1, 51)))
    many = np.arange(100)
    splits = np.zeros(100, np.int8)
    percents = {"train": 80, "validation": 10, "test": 10}

    wide, narrow = (proportions(splits, groups, percents)["test"] for groups in (few, many))

    assert wide["tolerance"] > 2 * narrow["tolerance"]  # pyright: ignore[reportOperatorIssue]
    assert wide["within_tolerance"]
    assert not narrow["within_tolerance"]
