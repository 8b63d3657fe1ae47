"""What counts as a burst, told by a slow loop as well."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.bursts import bursting
from feedback_pipeline_tests.curation.samples import START, submission, submissions


def at(number: int, minute: float, user: str | None = "ann") -> dict[str, Any]:
    return submission(number, user_hash=user, created_at=START + timedelta(minutes=minute))


def found(*rows: dict[str, Any], size: int = 3, minutes: int = 10) -> set[str]:
    return bursting(submissions(*rows), submissions=size, minutes=minutes)


def test_so_many_in_the_window_are_a_burst_and_what_lies_apart_is_not():
    rows = [at(0, 0), at(1, 20), at(2, 25), at(3, 30), at(4, 45)]

    assert found(*rows) == {"f00001", "f00002", "f00003"}


@pytest.mark.parametrize(("last", "count"), [(10, 3), (10.01, 0)])
def test_the_window_includes_its_end(last: float, count: int):
    assert len(found(at(0, 0), at(1, 5), at(2, last))) == count


def test_windows_overlap_into_one_burst():
    assert len(found(*(at(number, 4 * number) for number in range(20)))) == 20


def test_users_are_told_apart_and_feedback_without_user_is_no_burst():
    rows = [at(number, number, user) for number, user in enumerate(["ann", "ben", "ann", "ben", None, None, None])]

    assert found(*rows) == set()
    assert found() == set()


def slow(rows: list[dict[str, Any]], size: int, minutes: int) -> set[str]:
    ids = set()
    for first in rows:
        end: datetime = first["created_at"] + timedelta(minutes=minutes)
        window = [
            r for r in rows if r["user_hash"] == first["user_hash"] and first["created_at"] <= r["created_at"] <= end
        ]
        if first["user_hash"] is not None and len(window) >= size:
            ids |= {row["feedback_id"] for row in window}
    return ids


@given(
    drawn=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["ann", "ben", None])), max_size=25),
    size=st.integers(2, 5),
    minutes=st.integers(1, 20),
)
def test_it_finds_what_a_slow_loop_finds(drawn: list[tuple[int, str | None]], size: int, minutes: int):
    rows = [at(number, minute, user) for number, (minute, user) in enumerate(drawn)]

    assert found(*rows, size=size, minutes=minutes) == slow(rows, size, minutes)
