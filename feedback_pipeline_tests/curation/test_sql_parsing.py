"""Which texts count as one read-only query, and what anything else is refused for."""

import pytest
import sqlglot
from sqlglot import exp

from feedback_pipeline.curation.sql import SqlError, parse_query


@pytest.mark.parametrize(
    "sql",
    [
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "SELECT * INTO copied FROM t",
        "SELECT a FROM t FOR UPDATE",
        "SELECT a FROM t FOR SHARE",
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
        "CREATE TABLE u AS SELECT 1",
        "DROP TABLE t",
        "PRAGMA table_info(t)",
        "ATTACH 'x.db' AS x",
        "EXPLAIN SELECT 1",
        "VALUES (1)",
        "VACUUM",
        "BEGIN",
        "SET x = 1",
        "CALL refresh()",
        "SELECT 1; DROP TABLE t",
        "SELECT 1; SELECT 2",
    ],
)
def test_anything_but_one_query_is_refused_as_not_read_only(sql: str):
    with pytest.raises(SqlError) as refused:
        parse_query(sql, "sqlite")
    assert refused.value.kind == "read_only"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("-- nothing", "only comments"),
        ("/* nothing */", "only comments"),
        (";;", "only comments"),
        ("SELECT", "selects no columns"),
        ("SELECT FROM t", "selects no columns"),
        ("please show me all the orders from Berlin", "does not parse as sqlite"),
        ("I don't know", "does not parse as sqlite"),
        ("SELECT a FROM t WHERE", "parse"),
        ("SELECT 1\x00", "second parser refuses"),
        ("SELECT '\ud800'", "second parser refuses"),
        ("(" * 5_000, "nested too deeply"),
        ("SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "nested too deeply"),
        ("SELECT " + "+".join(["1"] * 10_000), "second parser refuses"),
    ],
)
def test_what_does_not_parse_says_why(sql: str, reason: str):
    with pytest.raises(SqlError, match=reason) as refused:
        parse_query(sql, "sqlite")
    assert refused.value.kind == "parses"


@pytest.mark.parametrize("sql", ["SELECT a,, b FROM t", "SELECT a FROM t GROUP BY", "SELECT * FROM t AS"])
def test_the_second_parser_refuses_what_the_first_lets_pass(sql: str):
    assert sqlglot.parse(sql, read="sqlite")

    with pytest.raises(SqlError, match="second parser refuses"):
        parse_query(sql, "sqlite")


@pytest.mark.parametrize("dialect", ["klingon", "SQLITE3", "postgresql"])
def test_an_unknown_dialect_is_a_reason_and_no_crash(dialect: str):
    with pytest.raises(SqlError, match=r"(?i)unknown dialect"):
        parse_query("SELECT 1", dialect)


@pytest.mark.parametrize("sql", ["SELECT 1; -- done", "SELECT 1 /* one */", "-- first\nSELECT 1", "SELECT 1;;"])
def test_comments_and_spare_semicolons_are_no_statements(sql: str):
    assert isinstance(parse_query(sql, "sqlite"), exp.Select)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "SELECT a::text, b->>'x' FROM t WHERE a ILIKE 'x%' AND NOT b IS NULL LIMIT 5"),
        ("mysql", "SELECT `a`, IFNULL(b, 1), DATE_FORMAT(c, '%Y') FROM t WHERE a = \"x\" LIMIT 5, 10"),
        ("snowflake", "SELECT a:b::string FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) = 1"),
        ("bigquery", "SELECT a, COUNTIF(b) FROM `p.d.t`, UNNEST(items) AS x GROUP BY a"),
        ("tsql", "SELECT TOP 5 [a], GETDATE() FROM [dbo].[t] WHERE a = N'x'"),
        ("duckdb", "SELECT a, list(b) FROM t GROUP BY ALL"),
        ("oracle", "SELECT a, NVL(b, 1) FROM t WHERE ROWNUM <= 5"),
        ("redshift", "SELECT TOP 5 a FROM t"),
        ("sqlite", "WITH x AS (SELECT 1 AS a) SELECT a FROM x UNION ALL SELECT 2"),
    ],
)
def test_each_dialect_reads_its_own_queries(dialect: str, sql: str):
    assert isinstance(parse_query(sql, dialect), exp.Query)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "SELECT setval('ids', 1)"),
        ("postgres", "SELECT a FROM t WHERE pg_sleep(10) IS NULL"),
        ("sqlite", "SELECT load_extension('x')"),
        ("mysql", "SELECT @a := 1 FROM t"),
    ],
)
def test_functions_that_act_are_not_read_only(dialect: str, sql: str):
    with pytest.raises(SqlError) as caught:
        parse_query(sql, dialect)

    assert caught.value.kind == "read_only"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t # it's all",
        "SELECT a # ( \n FROM t",
        "# all of\nSELECT a FROM `t#1` WHERE b = '#' /* # */ -- #",
    ],
)
def test_hash_comments_are_read_where_the_dialect_has_them(sql: str):
    assert isinstance(parse_query(sql, "mysql"), exp.Select)


def test_what_follows_a_hash_comment_is_still_confirmed():
    with pytest.raises(SqlError, match="second parser refuses"):
        parse_query("SELECT a,, # both\n b FROM t", "mysql")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t /*! INTO OUTFILE '/tmp/x' */",
        "SELECT a /*!50000 , sleep(5) */ FROM t",
        "SELECT a FROM t /*M!100100 LIMIT 1 */",
    ],
)
def test_comments_that_mysql_executes_are_not_read_only(sql: str):
    with pytest.raises(SqlError, match="which the server executes") as caught:
        parse_query(sql, "mysql")

    assert caught.value.kind == "read_only"
    assert isinstance(parse_query("SELECT '/*! x */' FROM t /* ! */", "mysql"), exp.Select)
