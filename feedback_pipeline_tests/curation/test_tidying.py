"""What is taken away around a query, what is noted of it, and what must never be taken away."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.sql import SqlError, parse_query
from feedback_pipeline.curation.tidying import tidy
from feedback_pipeline_tests.curation.random_queries import Query, Spelling, queries, spellings

QUERY = "SELECT name FROM singer WHERE country = 'France'"
PROSE = "This query finds the names of all singers that come from France."


def parses(sql: str) -> bool:
    try:
        parse_query(sql, "sqlite")
    except SqlError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```sql\nSELECT 1;\n```", "SELECT 1"),
        ("```\r\nSELECT 1\r\n```", "SELECT 1"),
        ("```SQLite\nSELECT 1\n```", "SELECT 1"),
        ("```sql SELECT 1```", "SELECT 1"),
        ("```SELECT 1```", "SELECT 1"),
        ("```SELECT\n1```", "SELECT\n1"),
        ("~~~\n".replace("~", "`") + "SELECT 1\n````", "SELECT 1"),
        ("```sql\nSELECT 1", "SELECT 1"),
        ("SELECT 1;\n```", "SELECT 1"),
        ("SELECT 1;\n```\n```", "SELECT 1"),
        ("```sql\nSELECT 1\n```\n```sql\nSELECT 1;\n```", "SELECT 1"),
        (f"Here it is:\n```postgresql\n{QUERY}\n```\nHope it helps!", QUERY),
        (f"{QUERY};\n```\n\n{PROSE}\n```", QUERY),
        (f"```sql\n{QUERY}\n```\nWith this query you get the names of the singers.", QUERY),
        (f"```sql\n{QUERY};\n\n{PROSE}\n```", QUERY),
        (f"<sql>{QUERY}</sql>", QUERY),
        (f"Here you go: <SQL>\n{QUERY};\n</SQL>", QUERY),
        (f"`{QUERY};`", QUERY),
        (f"SQL: `{QUERY}`", QUERY),
        (f"SQL: {QUERY}", QUERY),
        (f"SQLQuery: {QUERY};", QUERY),
        (f"sql\n{QUERY}", QUERY),
        (f"**Corrected SQL:**\n{QUERY}", QUERY),
        (f"Here is the query: {QUERY}", QUERY),
        (f"In SQLite:\n```\n{QUERY}\n```", QUERY),
        (f"{QUERY};\n\nThis query finds the names of all singers\nin the table that are\nat home in France.", QUERY),
        (f"I think this is what you want.\n\n{QUERY}", QUERY),
        (f"With this you get the names of the singers:\n{QUERY}", QUERY),
        (f"{QUERY};\n\n{PROSE}", QUERY),
        (f"{QUERY}\n{PROSE}", QUERY),
        (f"{QUERY}; {PROSE}", QUERY),
        (f"{QUERY}\n\nExplanation: singers have a country.", QUERY),
        (f"{QUERY};\n\n**Note:** country is text.", QUERY),
        (f"{QUERY};\nNote that the country is text.", QUERY),
        (f"Here is the query:\n\n{QUERY};\n\n{PROSE}", QUERY),
        (f"SELECT name\nFROM singer\n\nWHERE age = 1\n\n{PROSE}", "SELECT name\nFROM singer\n\nWHERE age = 1"),
        (f"WITH a AS (SELECT 1) SELECT * FROM a;\n\n{PROSE}", "WITH a AS (SELECT 1) SELECT * FROM a"),
        (f"SELECT 'a;\n\nThis is the text of it.' AS x;\n\n{PROSE}", "SELECT 'a;\n\nThis is the text of it.' AS x"),
        ("```sql\nDROP TABLE t\n```", "DROP TABLE t"),
        ("```sql\nSELECT 1; DROP TABLE t\n```", "SELECT 1; DROP TABLE t"),
        ("```sql\nSELECT name FROM\n```", "SELECT name FROM"),
    ],
)
def test_what_stands_around_the_sql_is_removed_and_noted(text: str, expected: str):
    tidied = tidy(text, "sqlite")

    assert tidied.sql == expected
    assert tidied.removed


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "SELECT 1",
        "  SELECT 1 ;\n; ",
        "SELECT '```sql' AS fence, 'This is the end.' AS said -- This query is fine.",
        "SELECT 1; -- This query counts the rows that it returns.",
        "SELECT name FROM singer\n\nThis",
        "please show me the names of all the singers",
        "I'm sorry, but the question is not clear. Please say which of the tables you mean.",
        "T1.name FROM singer AS T1",
        "error",
        "SELECT 1; DROP TABLE x",
        "SELECT 1\nDROP TABLE t",
        "SELECT 1;\n\nDROP TABLE this; the query is that which drops it.",
        "SELECT 1;\n\nThis query is followed by that of the attacker.\nDELETE FROM singer",
        "SELECT 1;\n\nSELECT 2",
        "SELECT 1; SELECT the, this FROM which",
        "SELECT 1; WITH the AS (SELECT this FROM which) SELECT * FROM the",
        "SELECT 1; PRAGMA writable_schema = 1",
        "SELECT 1;.030 sec",
        "SELECT a FROM t WHERE\n\nThis query has the wrong end.",
        "SELECT a FROM t WHERE a = 1 AND\n-- This query is that of the user",
        "SELECT a FROM t WHERE\n/* This query is that of the user */",
        "SELECT a FROM t\n\nUNION SELECT the, this FROM",
        "SELECT a FROM t b c\nLIMIT 5",
        "SELECT a FROM t\n\nAND the = this AND",
        "SELECT a FROM t\n\nthe JOIN this ON",
        "SELECT a FROM t```x WHERE b = 1",
        "EXPLAIN SELECT 1",
        "INSERT INTO t\nSELECT 1",
        "CREATE TABLE t AS\nSELECT 1",
        "The table:\nCREATE TABLE t (a INT);\nSELECT 1",
        "```\nno query here\n```",
        "`singer`",
    ],
)
def test_what_is_fine_or_may_be_sql_stays_to_the_letter(text: str):
    tidied = tidy(text, "sqlite")

    assert (tidied.sql, tidied.removed) == (text, ())


def test_fences_around_different_queries_are_left_with_the_reason():
    text = "```sql\nSELECT 1\n```\nor rather\n```sql\nSELECT 2\n```"

    tidied = tidy(text, "sqlite")

    assert tidied.sql == text
    assert tidied.problem == "holds different pieces of SQL in and around code fences; leave one"


def test_half_a_query_outside_the_fence_is_not_dropped():
    tidied = tidy("```sql\nSELECT name FROM singer\n```\nWHERE age > 3", "sqlite")

    assert not parses(tidied.sql)
    assert tidied.problem


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("```sql\nSELECT 1\n```", ("removed a Markdown code fence around the SQL",)),
        (
            "```sql\nSELECT 1",
            ("removed a Markdown code fence that is never closed; the SQL may have been cut short",),
        ),
        ("SELECT 1\n```", ("removed a Markdown code fence after the SQL",)),
        ("<sql>SELECT 1</sql>", ("removed an <sql> tag around the SQL",)),
        ("`SELECT 1`", ("removed backticks around the SQL",)),
        ("SQL: SELECT 1", ("removed 1 word before the SQL: “SQL:”",)),
        (
            f"SELECT 1;\n{PROSE}",
            ("removed 12 words after the SQL: “This query finds the names of all singers that come from …”",),
        ),
        (
            "Sure:\n```\nSELECT 1\n```",
            ("removed a Markdown code fence around the SQL", "removed 1 word beside the SQL: “Sure:”"),
        ),
    ],
)
def test_each_removal_is_noted_in_words(text: str, notes: tuple[str, ...]):
    assert tidy(text, "sqlite").removed == notes


def test_backticks_that_quote_names_are_no_code():
    sql = "SELECT `name` FROM `singer`"

    assert tidy(f"Here is the query: {sql}", "mysql").sql == sql


@given(query=queries(), spelling=spellings)
def test_a_query_stays_to_the_letter_and_is_found_again_in_its_wrapping(query: Query, spelling: Spelling):
    sql = query.written(spelling)

    assert tidy(sql, "sqlite").sql == sql
    assert tidy(f"Here is the query:\n```sql\n{sql};\n```\n{PROSE}", "sqlite").sql == sql
    assert tidy(f"SQL: {sql};\n\n{PROSE}", "sqlite").sql == sql


@given(
    st.lists(
        st.sampled_from(
            [
                *("SELECT 1", "DROP TABLE t", "UNION", "WHERE a = 1", "(", "a", "--", "/*", "*/", "'", '"'),
                *("```", "```sql\n", "`", ";", "\n", " ", "<sql>", "</sql>", "SQL:", "Explanation:"),
                "This query is the one that counts.",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_whatever_is_removed_something_that_could_write_never_becomes_a_query(text: str):
    tidied = tidy(text, "sqlite")

    assert tidied.sql in text
    assert not tidied.removed or "DROP TABLE t" not in left_out(text, tidied.sql) or not parses(tidied.sql)


def left_out(text: str, kept: str) -> str:
    """Return what was removed; what a fence repeats counts as kept."""
    return text.replace(kept, "")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT" + " " * 50_000 + "1 x y",
        "```" + " " * 50_000,
        "```sql\nSELECT 1" + "\n" * 50_000 + "x y z",
        "SELECT 1" + ";" * 50_000 + "x",
        "SELECT 1 x y" + "; " * 25_000,
        "`" * 50_000,
        "`SELECT 1" * 5_000,
        "``` SELECT 1\n" * 4_000,
        ":" * 50_000 + "SELECT 1 x y",
        "\nselect the" * 5_000,
        "\nThis query is the one" * 2_500,
        f"{QUERY} x y" + f";\n\n{PROSE}" * 700,
        "(" * 50_000,
        ":" + " " * 50_000 + "x",
        "select " * 7_000,
    ],
)
def test_hostile_texts_take_no_time(text: str):
    started = time.thread_time()

    tidy(text, "sqlite")

    assert time.thread_time() - started < 5
