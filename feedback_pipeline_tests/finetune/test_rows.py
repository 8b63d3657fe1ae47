"""Splits: by cluster, for good, and the same everywhere."""

import random

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.finetune.rows import SPLITS, content_digest, split_of, split_rows
from feedback_pipeline_tests.finetune.samples import deduped, examples

rows = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from("abcdefghijklmnop")),
    min_size=1,
    max_size=40,
    unique_by=lambda r: r[0],
)


def placed(table: pa.Table, remembered: dict[str, str] | None = None) -> dict[str, str]:
    parts = split_rows(table, validation_percent=20, test_percent=20, remembered=remembered)
    return {row_id: name for name, part in parts.items() for row_id in part["row_id"].to_pylist()}


def test_the_shares_are_about_what_was_asked_for():
    splits = [split_of(f"cluster {number}", validation_percent=10, test_percent=20) for number in range(5_000)]

    assert abs(splits.count("validation") / 5_000 - 0.10) < 0.02
    assert abs(splits.count("test") / 5_000 - 0.20) < 0.02


@given(rows)
def test_every_row_is_in_one_split_and_a_cluster_is_never_torn_apart(drawn: list[tuple[int, str]]):
    where = placed(deduped(drawn))

    assert sorted(where) == sorted(f"{number:016x}" for number, _ in drawn)
    for cluster in {cluster for _, cluster in drawn}:
        assert len({where[f"{number:016x}"] for number, other in drawn if other == cluster}) == 1


@given(rows, st.data())
def test_no_row_that_was_held_out_is_ever_trained_on(drawn: list[tuple[int, str]], data: st.DataObject):
    before = placed(deduped(drawn))
    renamed = [(number, data.draw(st.sampled_from("abcxyz"))) for number, _ in drawn]

    after = placed(deduped([*renamed, (100, "a"), (101, "z")]), remembered=before)

    for row_id, split in before.items():
        assert SPLITS.index(after[row_id]) >= SPLITS.index(split)


@given(rows)
def test_new_rows_in_clusters_of_their_own_move_nobody(drawn: list[tuple[int, str]]):
    before = placed(deduped(drawn))

    after = placed(deduped([*drawn, *((number, f"new {number}") for number in range(100, 120))]), remembered=before)

    assert {row_id: after[row_id] for row_id in before} == before


def test_the_order_rows_come_in_changes_no_digest():
    table = examples(50)
    order = list(range(50))
    random.Random(7).shuffle(order)

    digests = {
        content_digest(split_rows(given_rows, validation_percent=10, test_percent=10))
        for given_rows in (table, table.take(order))
    }

    assert len(digests) == 1


def test_a_changed_row_changes_the_digest():
    table = examples(5)
    weight = table.schema.get_field_index("weight")
    heavier = table.set_column(weight, table.schema.field(weight), pa.array([2.0, 1.0, 1.0, 1.0, 1.0], pa.float64()))

    digests = {content_digest(split_rows(rows, validation_percent=10, test_percent=10)) for rows in (table, heavier)}

    assert len(digests) == 2
