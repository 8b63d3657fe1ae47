"""The canonical rows: what stands for them, and what changes a digest."""

import random
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.finetune.content.rows import content_digest, dataset_rows, fingerprints, fingerprints_of
from feedback_pipeline_tests.finetune.samples import examples

texts = st.lists(st.tuples(st.none() | st.text(max_size=6), st.none() | st.text(max_size=6)), min_size=2, max_size=8)
lists = st.lists(st.lists(st.text(max_size=3), max_size=3), min_size=2, max_size=8)


def digest(table: pa.Table) -> str:
    rows = dataset_rows(table.sort_by("example_id"))
    return content_digest(fingerprints(rows), np.zeros(rows.num_rows, np.int8), {"format": 2})


def test_the_order_rows_come_in_changes_no_digest():
    table = examples(50)
    order = list(range(50))
    random.Random(7).shuffle(order)

    assert digest(table) == digest(table.take(order))


def test_a_changed_row_changes_the_digest():
    table = examples(5)
    weight = table.schema.get_field_index("weight")
    heavier = table.set_column(weight, table.schema.field(weight), pa.array([2.0, 1.0, 1.0, 1.0, 1.0], pa.float64()))

    assert digest(heavier) != digest(table)


def test_when_a_row_was_verified_changes_no_digest():
    table = examples(2)
    moment = table.schema.get_field_index("verified_at")
    later = pa.array([datetime(2026, 7, 1, tzinfo=UTC)] * 2, table.schema.field(moment).type)

    assert digest(table.set_column(moment, table.schema.field(moment), later)) == digest(table)


def test_a_row_in_another_split_changes_the_digest():
    prints = fingerprints(dataset_rows(examples(2)))

    assert content_digest(prints, np.array([0, 2]), {}) != content_digest(prints, np.array([0, 0]), {})


def test_the_digest_of_known_rows_is_known():
    assert digest(examples(3)) == KNOWN


@given(texts)
def test_rows_have_one_fingerprint_only_if_they_are_equal(drawn: list[tuple[str | None, str | None]]):
    columns = [pa.chunked_array([pa.array(column, pa.string())]) for column in zip(*drawn, strict=True)]

    prints = [one.tobytes() for one in fingerprints_of(columns)]

    for one, print_of_one in zip(drawn, prints, strict=True):
        for other, print_of_other in zip(drawn, prints, strict=True):
            assert (print_of_one == print_of_other) == (one == other)


@given(lists)
def test_lists_have_one_fingerprint_only_if_they_are_equal(drawn: list[list[str]]):
    column = pa.chunked_array([pa.array(drawn, pa.list_(pa.string()))])

    prints = [one.tobytes() for one in fingerprints_of([column])]

    for one, print_of_one in zip(drawn, prints, strict=True):
        for other, print_of_other in zip(drawn, prints, strict=True):
            assert (print_of_one == print_of_other) == (one == other)


def test_how_a_table_is_cut_up_changes_no_fingerprint():
    rows = dataset_rows(examples(20))
    pieces = pa.concat_tables([rows.slice(0, 7), rows.slice(7, 1), rows.slice(8)])

    whole = fingerprints(rows)

    assert (fingerprints(pieces) == whole).all()
    assert (fingerprints(rows.slice(5, 9)) == whole[5:14]).all()


KNOWN = "46467bb1aee031795c1d523dcf8e2777b2d1d6c115353029282720520032a7c6"
