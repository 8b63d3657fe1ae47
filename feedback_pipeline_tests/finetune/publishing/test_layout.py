"""Which rows share a file, from version to version."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.finetune.content.record import Record
from feedback_pipeline.finetune.content.splits import Keys
from feedback_pipeline.finetune.publishing import layout
from feedback_pipeline.finetune.publishing.layout import lay_out

SMALL = 8
"""Rows of a shard in these tests."""

TRAIN = 0

contents = st.dictionaries(st.integers(0, 120), st.integers(0, 3), max_size=60)
"""What each row says, by its key."""


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SHARD_ROWS", SMALL)


def arrays(rows: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    keys = np.array(sorted(rows), np.uint64)
    prints = np.zeros((len(keys), 16), np.uint8)
    prints[:, 0] = [rows[int(key)] for key in keys]
    return keys, prints


def laid_out(rows: dict[int, int], parent: Record | None = None) -> tuple[list[list[int]], Record]:
    """Return the keys of each shard, and the record of the version."""
    keys, prints = arrays(rows)
    shards = lay_out(keys, prints, TRAIN, np.arange(len(keys)), parent)
    numbers = np.full(len(keys), -1, np.int32)
    for number, members in enumerate(shards):
        numbers[members] = number
    record = Record(Keys(keys, keys, keys), np.zeros(len(keys), np.int8), numbers, prints)
    return [keys[members].tolist() for members in shards], record


@given(contents, contents)
def test_every_row_is_in_one_shard_and_shards_are_bounded_and_ordered(before: dict[int, int], after: dict[int, int]):
    _, record = laid_out(before)

    shards, _ = laid_out(after, record)

    assert sorted(key for shard in shards for key in shard) == sorted(after)
    for shard in shards:
        assert shard == sorted(shard)
        assert 0 < len(shard) <= SMALL


@given(contents)
def test_what_does_not_change_is_not_moved(rows: dict[int, int]):
    shards, record = laid_out(rows)

    again, _ = laid_out(rows, record)

    assert again == shards


@given(contents, st.sets(st.integers(121, 200), max_size=30))
def test_new_rows_leave_all_full_shards_as_they_are(rows: dict[int, int], new: set[int]):
    shards, record = laid_out(rows)

    after, _ = laid_out({**rows, **dict.fromkeys(new, 0)}, record)

    full = [shard for shard in shards if len(shard) == SMALL]
    assert after[: len(full)] == full


def test_a_changed_row_stays_in_its_shard():
    shards, record = laid_out(dict.fromkeys(range(30), 0))

    after, _ = laid_out({**dict.fromkeys(range(30), 0), 11: 1}, record)

    assert after == shards


def test_a_shard_that_lost_most_of_its_rows_is_dissolved():
    _, record = laid_out(dict.fromkeys(range(24), 0))

    after, _ = laid_out(dict.fromkeys([*range(8), 8, 9, *range(16, 24)], 0), record)

    assert after == [list(range(8)), list(range(16, 24)), [8, 9]]


def test_rows_of_another_split_are_new_here():
    _, record = laid_out(dict.fromkeys(range(4), 0))
    held_out = Record(record.keys, np.full(4, 2, np.int8), record.shards, record.prints)

    after, _ = laid_out(dict.fromkeys(range(4), 0), held_out)

    assert after == [[0, 1, 2, 3]]
