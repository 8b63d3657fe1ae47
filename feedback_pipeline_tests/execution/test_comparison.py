import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.execution.comparison import compare, result_digest

cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.decimals(allow_nan=False, places=3, min_value=-10, max_value=10),
    st.sampled_from(["", "a", "b", "1", "NULL"]),
    st.text(),
    st.binary(max_size=3),
    st.dates(),
    st.lists(st.integers(0, 1), max_size=2),
)


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[Any] = cells) -> list[tuple[Any, ...]]:
    width = draw(st.integers(1, 5))
    return draw(st.lists(st.tuples(*[cell] * width), min_size=1, max_size=8))


few_values = st.integers(0, 1)
any_table = st.one_of(tables(), tables(few_values))


def shuffled(rows: list[tuple[Any, ...]], seed: int, keep_rows: bool = False) -> list[tuple[Any, ...]]:
    random_order = random.Random(seed)
    columns = random_order.sample(range(len(rows[0])), len(rows[0]))
    moved = [tuple(row[column] for column in columns) for row in rows]
    return moved if keep_rows else random_order.sample(moved, len(moved))


@given(any_table, st.integers())
def test_order_of_columns_and_rows_is_free(rows: list[tuple[Any, ...]], seed: int) -> None:
    assert compare(rows, shuffled(rows, seed), ordered=False).equal is True


@given(any_table, st.integers())
def test_under_order_by_only_the_order_of_columns_is_free(rows: list[tuple[Any, ...]], seed: int) -> None:
    assert compare(rows, shuffled(rows, seed, keep_rows=True), ordered=True).equal is True


@given(any_table, st.data(), st.integers(), st.booleans())
def test_one_changed_cell_makes_results_differ(
    rows: list[tuple[Any, ...]], data: st.DataObject, seed: int, ordered: bool
) -> None:
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(rows[0]) - 1))
    changed = [list(each) for each in rows]
    changed[row][column] = "something that no table above holds"
    other = shuffled([tuple(each) for each in changed], seed, keep_rows=ordered)

    found = compare(rows, other, ordered)

    assert found.equal is False
    assert found.only_left
    assert found.only_right
    assert result_digest(rows, ordered) != result_digest(other, ordered)


@given(any_table, any_table, st.booleans())
def test_comparing_is_symmetric_and_the_digest_agrees(
    left: list[tuple[Any, ...]], right: list[tuple[Any, ...]], ordered: bool
) -> None:
    there, back = compare(left, right, ordered), compare(right, left, ordered)

    assert there.equal == back.equal
    if there.equal:
        assert result_digest(left, ordered) == result_digest(right, ordered)


@given(tables(few_values), st.integers(), st.booleans())
def test_equal_results_have_equal_digests(rows: list[tuple[Any, ...]], seed: int, ordered: bool) -> None:
    assert result_digest(rows, ordered) == result_digest(shuffled(rows, seed, keep_rows=ordered), ordered)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (1, Decimal("1.000")),
        (0.1, Decimal("0.1")),
        (0.1 + 0.2, 0.3),
        (-0.0, 0),
        (float("nan"), Decimal("NaN")),
        (float("inf"), Decimal("Infinity")),
        (2.0**60, 2**60),
        ({"a": 1, "b": None}, {"b": None, "a": 1.0}),
        ([1, 2], (1.0, 2.0)),
        (b"ab", bytearray(b"ab")),
    ],
)
def test_equal_values(left: Any, right: Any) -> None:
    assert compare([(left, "row")], [(right, "row")], ordered=False).equal is True


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (None, ""),
        (None, 0),
        (None, "None"),
        (0, ""),
        (1, "1"),
        (1, True),
        (2**63, 2**63 + 1),
        (Decimal("123456789012345678901234567890.1"), Decimal("123456789012345678901234567890.2")),
        (0.000001, 0.000002),
        ("a", b"a"),
        ([1, 2], [2, 1]),
        ([1, [2]], [[1], 2]),
        (["a", "b"], ["a,b"]),
        ({"a": 1}, {"a": 2}),
        (float("nan"), None),
    ],
)
def test_unequal_values(left: Any, right: Any) -> None:
    assert compare([(left, "row")], [(right, "row")], ordered=False).equal is False


def test_columns_are_told_apart_by_the_rows_their_values_stand_in() -> None:
    left = [(0, 1), (1, 0)]
    right = [(0, 0), (1, 1)]

    assert compare(left, right, ordered=False).equal is False
    assert result_digest(left, ordered=False) != result_digest(right, ordered=False)


def test_repeated_rows_count() -> None:
    found = compare([(1,), (1,), (2,)], [(1,), (2,), (2,)], ordered=False)

    assert (found.equal, found.only_left, found.only_right) == (False, [1], [2])


def test_the_same_rows_in_another_order_are_said_to_be() -> None:
    found = compare([(1,), (2,)], [(2,), (1,)], ordered=True)

    assert (found.equal, found.only_order) == (False, True)


def test_dozens_of_columns_alike_are_compared_in_reasonable_time() -> None:
    size = 40
    identity = [tuple(int(row == column) for column in range(size)) for row in range(size)]

    assert compare(identity, shuffled(identity, 7), ordered=False).equal is True
    assert compare(identity, [*identity[1:], identity[1]], ordered=False).equal is False


def test_no_answer_is_given_when_the_search_takes_too_long() -> None:
    # Rings of 4 and 8 against two of 6: every row and every column looks like every other.
    def rings(*sizes: int) -> list[tuple[int, ...]]:
        total, rows, start = sum(sizes), [], 0
        for size in sizes:
            for at in range(size):
                ones = {start + at, start + (at + 1) % size}
                rows.append(tuple(int(column in ones) for column in range(total)))
            start += size
        return rows

    assert compare(rings(4, 8), shuffled(rings(4, 8), 3), ordered=False).equal is not False
    assert compare(rings(4, 8), rings(6, 6), ordered=False).equal is not True


@pytest.mark.parametrize("rows", [[], [(None,)], [(0,)], [(0.0, None)]])
def test_rows_that_say_nothing_have_no_digest(rows: list[tuple[Any, ...]]) -> None:
    assert result_digest(rows, ordered=False) is None


def test_the_digest_stays_what_it_is() -> None:
    assert result_digest([(1, "a"), (None, "ä")], ordered=False) == "3d078c8c71bb2b7e"
