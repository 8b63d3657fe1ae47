"""Which names of a query a schema knows, and what is said of the others."""

import json

import pytest

from feedback_pipeline.curation.names import unresolved_name
from feedback_pipeline.curation.sql import parse_query

SCHEMA = {
    "Singer": {"Id": "INTEGER", "Name": "TEXT", "Age": ""},
    "order lines": {"Id": "INTEGER", "unit price": "REAL"},
    "empty": {},
}


def complaint(sql: str, dialect: str = "sqlite", schema: dict | None = None) -> str | None:
    columns = SCHEMA if schema is None else schema
    return unresolved_name(parse_query(sql, dialect), dialect, json.dumps(columns, sort_keys=True), columns)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM singer",
        "SELECT NAME FROM SINGER",
        'SELECT "Name" FROM "Singer"',
        "SELECT `name` FROM [singer]",
        "SELECT s.name FROM singer AS s",
        "SELECT s.* FROM singer s",
        "SELECT name FROM main.singer",
        'SELECT "unit price" FROM "order lines"',
        "SELECT o.[unit price] FROM [order lines] AS o",
        "WITH young AS (SELECT name AS n FROM singer WHERE age < 30) SELECT n FROM young",
        "WITH young AS (SELECT * FROM singer) SELECT y.name FROM young AS y",
        "SELECT x.n FROM (SELECT name AS n FROM singer) AS x",
        "SELECT name AS n FROM singer ORDER BY n",
        "SELECT name FROM singer AS a WHERE EXISTS (SELECT 1 FROM singer AS b WHERE b.age > a.age)",
        'SELECT id FROM singer UNION SELECT id FROM "order lines"',
        'SELECT name FROM singer WHERE name = "Ann"',
        'SELECT "Ann" FROM singer',
        "SELECT COUNT(*) FROM singer",
        "SELECT 1",
    ],
)
def test_names_in_the_schema_resolve_whatever_their_case_quotes_and_aliases(sql: str):
    assert complaint(sql) is None


def test_an_unknown_table_is_named_with_the_tables_there_are():
    assert complaint("SELECT a FROM songs") == "no table 'songs'; the schema has 'Singer', 'empty', 'order lines'"


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("SELECT nome FROM singer", "nome"),
        ("SELECT s.nome FROM singer AS s", "nome"),
        ("SELECT name FROM singer WHERE agee > 3", "agee"),
        ("SELECT name FROM singer ORDER BY birthday", "birthday"),
        ("SELECT x.name FROM (SELECT id FROM singer) AS x", "name"),
        ("WITH young AS (SELECT id FROM singer) SELECT name FROM young", "name"),
    ],
)
def test_an_unknown_column_is_named_in_one_line(sql: str, column: str):
    said = complaint(sql)

    assert said is not None
    assert column in said
    assert "\n" not in said


def test_a_column_that_two_tables_have_needs_to_say_which():
    assert complaint('SELECT id FROM singer JOIN "order lines" ON 1 = 1') is not None
    assert complaint('SELECT id FROM singer JOIN "order lines" USING (id)') is None


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("sqlite", "SELECT rowid, name FROM singer"),
        ("sqlite", "SELECT value FROM singer, json_each(singer.name)"),
        ("postgres", "SELECT ctid, name FROM singer"),
        ("oracle", "SELECT SYSDATE FROM dual"),
        ("oracle", "SELECT name FROM singer WHERE ROWNUM <= 5"),
        ("mysql", "SELECT 1 FROM DUAL"),
    ],
)
def test_names_that_the_database_itself_brings_along_resolve(dialect: str, sql: str):
    assert complaint(sql, dialect) is None


def test_a_name_that_one_database_brings_along_is_unknown_in_another():
    assert complaint("SELECT rowid FROM singer", "mysql") is not None


def test_double_quoted_text_is_a_column_where_the_dialect_has_no_such_quirk():
    assert complaint('SELECT "Name" FROM "Singer" WHERE "Name" = "Ann"', "postgres") is not None


def test_a_schema_without_tables_knows_no_table_and_no_query_without_one_needs_it():
    assert complaint("SELECT a FROM singer", schema={}) is not None
    assert complaint("SELECT 1", schema={}) is None


def test_a_query_is_left_as_it_is():
    tree = parse_query('SELECT "Name" FROM main.Singer WHERE name = "Ann"', "sqlite")
    before = tree.sql()

    unresolved_name(tree, "sqlite", json.dumps(SCHEMA, sort_keys=True), SCHEMA)

    assert tree.sql() == before
