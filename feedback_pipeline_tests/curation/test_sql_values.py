"""Which literals a query holds, where each stands, and which column it is compared with."""

import time

import pytest
import sqlglot
from hypothesis import given
from sqlglot import exp

from feedback_pipeline.curation.sql import Columns
from feedback_pipeline.curation.sql_values import MAX_CHARACTERS, SqlValue, sql_values
from feedback_pipeline_tests.curation.random_queries import COLUMNS, Query, Spelling, queries, spellings

SCHEMA: Columns = {
    "City": {"name": "TEXT", "state": "TEXT", "population": "INTEGER"},
    "State": {"name": "TEXT", "area": "REAL"},
}


def found(sql: str, dialect: str = "sqlite", columns: Columns | None = SCHEMA) -> list[tuple[str, str, str | None]]:
    """Return (literal as written, value, column) of each literal."""
    values = sql_values(sql, dialect, columns)
    return [(sql[value.start : value.end], value.text, value.column) for value in values]


@pytest.mark.parametrize(
    ("condition", "written", "text", "column"),
    [
        ("s.name = 'ohio'", "'ohio'", "ohio", "state.name"),
        ("'ohio' <> s.name", "'ohio'", "ohio", "state.name"),
        ("s.area > 3.5", "3.5", "3.5", "state.area"),
        ("area > -5", "-5", "-5", "state.area"),
        ("area > - 5", "- 5", "-5", "state.area"),
        ("area - 5 > 0 AND area < 7", "7", "7", "state.area"),
        ("LOWER(s.name) = 'ohio'", "'ohio'", "ohio", "state.name"),
        ("s.name = LOWER('Ohio')", "'Ohio'", "Ohio", "state.name"),
        ("TRIM(CAST(name AS TEXT)) = ('ohio')", "'ohio'", "ohio", "state.name"),
        ("s.name COLLATE NOCASE = 'ohio'", "'ohio'", "ohio", "state.name"),
        ("NOT s.name = 'ohio'", "'ohio'", "ohio", "state.name"),
        ("s.name LIKE '%new_y%'", "'%new_y%'", "new_y", "state.name"),
        ("s.name NOT LIKE 'new%'", "'new%'", "new", "state.name"),
        ("s.name = '100%'", "'100%'", "100%", "state.name"),
        ("s.name = 'o''hara'", "'o''hara'", "o'hara", "state.name"),
        ('s.name = "ohio"', '"ohio"', "ohio", "state.name"),
        ("[s].[NAME] = 'ohio'", "'ohio'", "ohio", "state.name"),
        ("s.name IS 'ohio'", "'ohio'", "ohio", "state.name"),
        ("CASE s.name WHEN 'ohio' THEN NULL END IS NULL", "'ohio'", "ohio", "state.name"),
        ("unknown = 'ohio'", "'ohio'", "ohio", "unknown"),
        ("z.name = 'ohio'", "'ohio'", "ohio", "name"),
        ("LENGTH(s.name) = 4", "4", "4", None),
        ("s.name || 'x' IS NOT NULL", "'x'", "x", None),
    ],
)
def test_literal_is_found_with_its_place_value_and_column(
    condition: str, written: str, text: str, column: str | None
) -> None:
    sql = f"SELECT area FROM State AS s WHERE {condition}"

    assert (written, text, column) in found(sql)


def test_lists_and_ranges_yield_each_of_their_literals_in_the_order_of_the_text() -> None:
    sql = "SELECT name FROM State WHERE name IN ('ohio', 'iowa') AND area BETWEEN 1 AND 2 LIMIT 5"

    assert found(sql) == [
        ("'ohio'", "ohio", "state.name"),
        ("'iowa'", "iowa", "state.name"),
        ("1", "1", "state.area"),
        ("2", "2", "state.area"),
        ("5", "5", None),
    ]


def test_kind_tells_quoted_text_from_numbers() -> None:
    values = sql_values("SELECT 1 FROM t WHERE a = '1'", "sqlite", None)

    assert [(value.text, value.kind) for value in values] == [("1", "number"), ("1", "text")]


def test_columns_are_followed_through_queries_in_from_and_with() -> None:
    sql = (
        "WITH big(n, s) AS (SELECT c.name, c.state FROM City AS c) "
        "SELECT * FROM big AS b, (SELECT name AS q, * FROM State) AS z "
        "WHERE b.s = 'texas' AND z.q = 'ohio' AND z.area = 1"
    )

    assert [column for _, _, column in found(sql)] == ["city.state", "state.name", "state.area"]


def test_column_without_table_belongs_to_the_only_table_that_has_it() -> None:
    sql = "SELECT 1 FROM City JOIN State ON State.name = City.state WHERE population > 9 AND name = 'ohio'"

    assert found(sql)[1:] == [("9", "9", "city.population"), ("'ohio'", "ohio", "name")]


def test_column_of_an_enclosing_query_is_found_there() -> None:
    sql = "SELECT name FROM City WHERE EXISTS (SELECT area FROM State WHERE population > 9)"

    assert ("9", "9", "city.population") in found(sql)


@pytest.mark.parametrize("columns", [SCHEMA, None])
def test_what_a_query_computes_is_no_column(columns: Columns | None) -> None:
    sql = "SELECT state, COUNT(*) AS cities FROM City GROUP BY state HAVING cities > 3 AND MAX(population) > 4"

    assert found(sql, columns=columns) == [("3", "3", None), ("4", "4", "city.population")]


def test_query_that_reads_itself_ends() -> None:
    sql = "WITH RECURSIVE r AS (SELECT n FROM r WHERE n = 1) SELECT * FROM r WHERE n = 2"

    assert [text for _, text, _ in found(sql)] == ["1", "2"]


def test_double_quoted_name_of_a_column_is_no_value() -> None:
    known = 'SELECT "name" FROM State WHERE "name" = "area"'
    unknown = 'SELECT area FROM State WHERE name = "area" AND name = "ohio"'

    assert found(known) == []
    assert found(unknown, columns=None) == [('"ohio"', "ohio", "state.name")]


def test_double_quotes_are_names_where_the_dialect_says_so() -> None:
    assert found('SELECT 1 + a FROM t WHERE a = "b"', "postgres", None) == [("1", "1", None)]
    assert found('SELECT a FROM t WHERE a = "b"', "mysql", None) == [('"b"', "b", "t.a")]


def test_literal_written_in_a_way_of_its_own_is_left_out() -> None:
    assert found(r"SELECT a FROM t WHERE a = E'x\'y' AND b = $$z$$ AND c = 1.50", "postgres", None) == [
        ("1.50", "1.50", "t.c")
    ]
    assert found(r"SELECT a FROM t WHERE a = 'x\'y' AND b = 'z'", "mysql", None) == [("'z'", "z", "t.b")]
    assert found("SELECT a FROM t WHERE a = N'x'", "tsql", None) == [("'x'", "x", "t.a")]


def test_places_count_characters_not_bytes() -> None:
    sql = "SELECT '😀é', a FROM t WHERE a = 'straße'"

    assert [written for written, _, _ in found(sql, columns=None)] == ["'😀é'", "'straße'"]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "not sql at all (",
        "SELECT 'open",
        "SELECT 1; SELECT 2",
        "DELETE FROM t WHERE a = 'x'",
        "(" * 5_000,
        "SELECT " + "(" * 9_000 + "1" + ")" * 9_000,
        "SELECT a FROM t WHERE a = " + "(SELECT a FROM t WHERE a = " * 600 + "1" + ")" * 600,
        "SELECT a FROM t WHERE a IN (" + ", ".join(map(str, range(MAX_CHARACTERS))) + ")",
    ],
)
def test_sql_that_cannot_be_read_holds_nothing_and_takes_no_time(sql: str) -> None:
    began = time.perf_counter()

    assert sql_values(sql, "sqlite", SCHEMA) == ()
    assert time.perf_counter() - began < 0.5


@given(queries(), spellings)
def test_each_place_holds_just_its_literal(query: Query, spelling: Spelling) -> None:
    sql = query.written(spelling)
    tree = sqlglot.parse_one(sql, read="sqlite")

    values = sql_values(sql, "sqlite", COLUMNS)

    assert len(values) == len(list(tree.find_all(exp.Literal)))
    for value in values:
        changed = sqlglot.parse_one(sql[: value.start] + other(value) + sql[value.end :], read="sqlite")
        assert differing_literals(tree, changed) == [(value.text, "77")]


def other(value: SqlValue) -> str:
    return "'77'" if value.kind == "text" else "77"


def differing_literals(one: exp.Expr, two: exp.Expr) -> list[tuple[str, str]]:
    """Return the literals that differ between two trees; all else must be equal."""
    pairs = list(zip(one.find_all(exp.Literal), two.find_all(exp.Literal), strict=True))
    differing = [(left.name, right.name) for left, right in pairs if left != right]
    for left, right in pairs:
        right.replace(left.copy())
    assert one == two
    return differing
