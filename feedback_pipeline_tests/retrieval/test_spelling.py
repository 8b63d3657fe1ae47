"""What two queries may differ in without a difference worth showing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.retrieval.spelling import differ_only_in_spelling

SQL = "SELECT name FROM ships WHERE tons <> 3 ORDER BY name"


@pytest.mark.parametrize(
    "other",
    [
        "select NAME from Ships where TONS <> 3 order by name",
        "SELECT name\n  FROM ships\nWHERE tons<>3 ORDER BY name ;\n",
        "SELECT name /* all */ FROM ships -- of them\nWHERE tons != 3 ORDER BY name ASC",
        'SELECT "name" FROM `Ships` WHERE [tons] <> 3 ORDER BY name',
    ],
)
def test_spelling_is_no_difference(other: str):
    assert differ_only_in_spelling(SQL, other)
    assert differ_only_in_spelling(other, SQL)


@pytest.mark.parametrize(
    ("sql", "other"),
    [
        ("SELECT a FROM t WHERE c = 'Berlin'", "SELECT a FROM t WHERE c = 'berlin'"),
        ("SELECT a FROM t WHERE c = 'Berlin'", 'SELECT a FROM t WHERE c = "Berlin"'),
        ('SELECT "Name" FROM t', "SELECT name FROM t"),
        ("SELECT a FROM t WHERE c = 'x--y'", "SELECT a FROM t WHERE c = 'x'"),
        ("SELECT a FROM t WHERE c = 'it''s'", "SELECT a FROM t WHERE c = 'its'"),
        ("SELECT a FROM t ORDER BY a DESC", "SELECT a FROM t ORDER BY a"),
        ("SELECT a FROM t LEFT JOIN u USING (i)", "SELECT a FROM t JOIN u USING (i)"),
        ("SELECT DISTINCT a FROM t", "SELECT a FROM t"),
        ("SELECT a, b FROM t", "SELECT b, a FROM t"),
        ("SELECT a FROM t WHERE b < 1.0", "SELECT a FROM t WHERE b <= 1.0"),
        ("SELECT ab FROM t", "SELECT a b FROM t"),
        ("SELECT 1", ""),
    ],
)
def test_anything_else_is_a_difference(sql: str, other: str):
    assert not differ_only_in_spelling(sql, other)


@pytest.mark.parametrize(
    ("sql", "other"), [("SELECT a x FROM t", "SELECT a AS x FROM t"), ("a JOIN b", "a INNER JOIN b")]
)
def test_words_that_may_be_left_out_are_no_difference(sql: str, other: str):
    assert differ_only_in_spelling(sql, other)


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(sql: str, other: str):
    assert differ_only_in_spelling(sql, sql)
    assert differ_only_in_spelling(sql, other) == differ_only_in_spelling(other, sql)


@pytest.mark.parametrize("part", ["'", "/* ", '"', "[a", "`", "-- ", "- -", '"a', "[", "a ", "'x"])
def test_the_longest_text_takes_a_fraction_of_a_second(part: str):
    hostile = part * (100_000 // len(part)) + "'"
    started = time.process_time()

    differ_only_in_spelling(hostile, hostile + "x")

    assert time.process_time() - started < 1
