"""The plots of a dataset over its versions."""

from typing import Any
from xml.etree import ElementTree

import pytest

from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.finetune.pictures import MOST_VERSIONS, figures
from feedback_pipeline.insight.plots.svg import svg

BALANCE = {
    "by_difficulty": {"easy": 60, "medium": 30, "hard": 10, "extra": 0},
    "by_evidence": {"executed": 75, "parsed": 25},
    "by_database": {"geo": 40, "shop": 30, "a": 10, "b": 8, "c": 6, "d": 4, "(others)": 2},
    "by_construct": {"where": 90, "join": 30, "window": 0},
}


def release(version: int = 1, balance: dict[str, Any] | None = None, **rows: int) -> Release:
    manifest = {"rows": rows or {"train": 80, "test": 20}, "balance": BALANCE if balance is None else balance}
    return Release("text2sql", version, "", manifest)


def column(releases: list[Release], figure: str, name: str) -> list[Any]:
    """Return what the table of a figure says in one column, oldest version first."""
    table = figures(releases)[figure].table
    return [row[table.columns.index(name)] for row in reversed(table.rows)]


def test_growth_tells_the_rows_of_each_split_by_version() -> None:
    releases = [release(1, train=8, test=2), release(2, train=18, validation=1, test=3)]

    assert column(releases, "growth", "version") == ["v1", "v2"]
    assert column(releases, "growth", "train") == [8, 18]
    assert column(releases, "growth", "validation") == [0, 1]


def test_composition_is_told_in_shares() -> None:
    releases = [release()]

    assert column(releases, "difficulty", "easy") == ["60%"]
    assert column(releases, "evidence", "executed") == ["75%"]
    assert "resolved" not in figures(releases)["evidence"].table.columns
    assert column(releases, "constructs", "where") == ["90%"]
    assert "window" not in figures(releases)["constructs"].table.columns


def test_the_largest_databases_are_named_and_the_others_summed_up() -> None:
    figure = figures([release()])["databases"]

    assert figure.table.columns == ("version", "geo", "shop", "a", "b", "c", "others")
    assert figure.table.rows == [("v1", "40%", "30%", "10%", "8.0%", "6.0%", "6.0%")]


def test_databases_that_are_all_named_leave_no_others() -> None:
    thirds = {"by_database": {"a": 1, "b": 1, "c": 1}}

    assert figures([release(balance=thirds)])["databases"].table.columns == ("version", "a", "b", "c")


def test_a_version_that_does_not_tell_leaves_a_gap() -> None:
    releases = [release(1, balance={}), release(2)]

    assert column(releases, "difficulty", "easy") == ["–", "60%"]
    assert column(releases, "growth", "train") == [80, 80]


@pytest.mark.parametrize("releases", [[], [release(1, balance={}, train=0)]])
def test_nothing_to_draw_is_said_in_words(releases: list[Release]) -> None:
    for figure in figures(releases).values():
        assert figure.charts == ()
        assert figure.nothing in svg(figure)


def test_pictures_stay_small_and_well_formed_whatever_databases_are_called() -> None:
    odd = {**BALANCE, "by_database": {f"<{number}> & a name that is much too long": 10 - number for number in range(9)}}
    releases = [release(number, odd, train=number * 1000, validation=number, test=7) for number in range(1, 200)]

    for figure in figures(releases).values():
        drawn = svg(figure)
        ElementTree.fromstring(drawn)
        assert len(drawn) < 50_000
        assert len(figure.table.rows) == MOST_VERSIONS
        assert 8 + sum(len(name) * 7 + 33 for name, _ in figure.legend) - 18 < 640
