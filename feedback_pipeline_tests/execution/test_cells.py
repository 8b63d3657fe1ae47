import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.execution.cells import MAX_CELLS, MAX_CHARS, comparable, shortened, shown, shown_row


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**70, str(2**70)),
        (0.5, 0.5),
        (float("nan"), "nan"),
        (Decimal("1.50"), "1.50"),
        (b"\x00\xff", "x'00ff'"),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime.fromisoformat("2024-02-29T12:30:00"), "2024-02-29 12:30:00"),
        ("bad \udcff\0", "bad \\udcff\\0"),
    ],
)
def test_a_cell_is_shown_as_json(cell: Any, expected: Any) -> None:
    assert shown(cell) == expected


@given(st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.lists(st.text())))
def test_what_is_shown_is_bounded_json_in_utf8_without_nul(cell: Any) -> None:
    text = json.dumps(shown(cell), allow_nan=False, ensure_ascii=False)

    assert len(str(shown(cell))) <= MAX_CHARS
    assert b"\\u0000" not in text.encode()


def test_wide_rows_are_cut() -> None:
    assert shown_row(range(MAX_CELLS + 2))[-1] == "… 2 more"


def test_a_long_text_says_that_it_goes_on() -> None:
    assert shortened("abcdef", 4) == "abc…"


def test_the_same_moment_in_two_zones_is_one_value() -> None:
    there = datetime(2024, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))

    assert comparable(there) == comparable(datetime(2024, 1, 1, 12, tzinfo=UTC))


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59", "0001-01-01T00:00:00"])
def test_the_edges_of_the_calendar_do_no_harm(moment: str) -> None:
    there = datetime.fromisoformat(moment)
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))

    assert comparable(there.replace(tzinfo=east)) != comparable(there.replace(tzinfo=west))


def test_huge_integers_are_no_trouble() -> None:
    assert comparable(10**6000) != comparable(10**6000 + 1)
