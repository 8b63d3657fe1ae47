"""Queries that mean the same in three-valued logic get one canonical form."""

import pytest

from feedback_pipeline.curation.sql import canonical, parse_query


def text_of(sql: str) -> str:
    return canonical(parse_query(sql, "sqlite"), "sqlite").text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("NOT a = 1", "a <> 1"),
        ("NOT (a = 1 OR b > 2)", "a <> 1 AND b <= 2"),
        ("NOT NOT a = 1", "a = 1"),
        ("a BETWEEN 1 AND 5", "a >= 1 AND a <= 5"),
        ("a NOT BETWEEN 1 AND 5", "a < 1 OR a > 5"),
        ("a IN (2, 1, 2)", "a IN (1, 2)"),
        ("a IN ('x')", "a = 'x'"),
        ("a NOT IN ('x')", "a <> 'x'"),
        ("a = 1 AND a = 1", "a = 1"),
    ],
)
def test_conditions_that_mean_the_same_merge(one: str, other: str):
    assert text_of(f"SELECT a FROM t WHERE {one}") == text_of(f"SELECT a FROM t WHERE {other}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT COUNT(1) FROM t", "SELECT COUNT(*) FROM t"),
        ("SELECT CASE WHEN a > 1 THEN 1 ELSE NULL END FROM t", "SELECT CASE WHEN a > 1 THEN 1 END FROM t"),
    ],
)
def test_columns_that_mean_the_same_merge(one: str, other: str):
    assert text_of(one) == text_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("NOT a", "a <> 1"),
        ("NOT NOT a", "a"),
        ("a IN (1, NULL)", "a = 1"),
        ("a = random() AND a = random()", "a = random()"),
        ("a BETWEEN 1 AND 5", "a > 1 AND a < 5"),
        ("NOT (a = 1 AND b = 2)", "a <> 1 AND b <> 2"),
    ],
)
def test_conditions_that_differ_for_some_value_stay_apart(one: str, other: str):
    assert text_of(f"SELECT a FROM t WHERE {one}") != text_of(f"SELECT a FROM t WHERE {other}")
