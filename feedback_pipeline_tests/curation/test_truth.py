"""What a condition may be is never less than what it is on a real database."""

import pytest
import sqlglot
from hypothesis import assume, given
from hypothesis import strategies as st

from feedback_pipeline.curation.sql import SqlError, parse_query, quoted_text_to_literals
from feedback_pipeline.curation.truth import Outcomes, outcomes
from feedback_pipeline_tests.curation.random_queries import COLUMNS, database

_DATABASE = database()
_OPERANDS = ["a", "b", "c", "0", "1", "2", "- 1", "1 + 1", "1.0", "'x'", "'X'", "'1'", "'%'", "NULL", "TRUE", '"zzz"']
_OPERANDS += [
    "abs(- 1)",
    "coalesce(a, 1)",
    "coalesce(1, a)",
    "coalesce(NULL, c)",
    "ifnull(c, 'x')",
    "''",
    "'_'",
    "'x%'",
]
_OPERATORS = ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT", "LIKE", "NOT LIKE", "GLOB"]

comparisons = st.builds("{} {} {}".format, *(st.sampled_from(part) for part in (_OPERANDS, _OPERATORS, _OPERANDS)))
betweens = st.builds(
    "{} {} {} AND {}".format,
    st.sampled_from(_OPERANDS),
    st.sampled_from(["BETWEEN", "NOT BETWEEN"]),
    st.sampled_from(_OPERANDS),
    st.sampled_from(_OPERANDS),
)
conditions = st.recursive(
    st.one_of(
        comparisons,
        betweens,
        st.sampled_from(
            [*_OPERANDS, "EXISTS (SELECT 1)", "EXISTS (SELECT 1 WHERE 0)", "1 IN (1, 2)", "a IN (1, NULL)"]
        ),
    ),
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("(NOT {})".format, inner),
        st.builds("CASE WHEN {} THEN {} WHEN {} THEN {} END".format, inner, inner, inner, inner),
        st.builds("CASE {} WHEN {} THEN {} ELSE {} END".format, *[st.sampled_from(_OPERANDS)] * 2, inner, inner),
        st.builds("iif({}, {}, {})".format, inner, inner, inner),
        st.builds("({0} OR NOT ({0}))".format, inner),
        st.builds("({0} AND NOT ({0}))".format, inner),
    ),
    max_leaves=5,
)


def possible(condition: str) -> Outcomes:
    return outcomes(sqlglot.parse_one(condition, read="sqlite"))


@given(conditions)
def test_what_sqlite_finds_was_held_possible(condition: str):
    sql = f"SELECT CASE WHEN {condition} THEN 1 WHEN NOT ({condition}) THEN 0 END FROM t"
    try:
        tree = parse_query(f"SELECT a FROM t WHERE {condition}", "sqlite")
    except SqlError:
        assume(False)
        return
    quoted_text_to_literals(tree, "sqlite", COLUMNS)

    found = {None if value is None else bool(value) for (value,) in _DATABASE.execute(sql)}

    assert found <= outcomes(tree.args["where"].this)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("1 = 1", {True}),
        ("1", {True}),
        ("2 > 1", {True}),
        ("1 + 1 = 2", {True}),
        ("'a' = 'a'", {True}),
        ("NOT FALSE", {True}),
        ("NULL IS NULL", {True}),
        ("1 IN (1, 2)", {True}),
        ("EXISTS (SELECT 1)", {True}),
        ("a = 1 OR 1 = 1", {True}),
        ("a IS NULL OR a IS NOT NULL", {True}),
        ("'a' LIKE 'a'", {True}),
        ("1 BETWEEN 0 AND 2", {True}),
        ("abs(- 1) = 1", {True}),
        ("coalesce(1, a) = 1", {True}),
        ("coalesce(a, 'x') IS NOT NULL", {True}),
        ("CASE WHEN 1 THEN 1 ELSE a END", {True}),
        ("CASE WHEN a = 1 THEN 1 ELSE 2 END", {True}),
        ("CASE 1 WHEN 2 THEN a ELSE 1 END", {True}),
        ("iif(a = 1, 1, 2)", {True}),
        ("CASE WHEN a = 1 THEN 1 END", {True, None}),
        ("1 NOT BETWEEN 0 AND 2", {False}),
        ("3 BETWEEN 0 AND 2", {False}),
        ("coalesce(a, 1) IS NULL", {False}),
        ("'a' NOT LIKE 'a'", {False}),
        ("1 = 0", {False}),
        ("'a' = 'b'", {False}),
        ("a = 1 AND 1 = 0", {False}),
        ("a IS NULL AND NOT a IS NULL", {False}),
        ("a = a", {True, None}),
        ("a LIKE '%'", {True, None}),
        ("a GLOB '*'", {True, None}),
        ("a > 1 OR a <= 1", {True, None}),
        ("a <> a", {False, None}),
        ("a NOT LIKE '%%'", {False, None}),
        ("a = 'x' AND a = 'y'", {False, None}),
        ("a = NULL", {None}),
    ],
)
def test_what_data_cannot_decide_is_known(condition: str, expected: set[bool | None]):
    assert possible(condition) == expected


@pytest.mark.parametrize(
    "condition",
    [
        *("a = 1", "a = b", "a", "'a'", "1 = '1'", "'a' = 'A'", "a LIKE 'x%'", "a LIKE '%' ESCAPE '%'", "a LIKE ''"),
        *("a = 'x' AND a = 'X'", "a = 1 AND a = '1'", "a = 1 AND b = 2", "random() > 1 OR random() <= 1"),
        *("a IN (1)", "(SELECT 1)", "a > 1 OR a < 1"),
        *(
            "'a' LIKE 'a' ESCAPE 'a'",
            "'[a]' GLOB '[a]'",
            "a BETWEEN 5 AND 1",
            "a BETWEEN 0 AND 2",
            "coalesce(a, b) = 1",
        ),
    ],
)
def test_what_data_decides_may_be_anything(condition: str):
    assert possible(condition) == {True, False, None}


def test_ten_thousand_conditions_take_no_minutes():
    chain = " OR ".join(["a = 1", *(f"b <> {number}" for number in range(10_000)), "1 = 1"])

    assert possible(chain) == {True}
