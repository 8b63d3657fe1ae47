"""What is said of a correction: the flags that poison raises, and the notes that help a reviewer."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feedback_pipeline.curation.findings import FLAGS, NOTES, Rewrite
from feedback_pipeline.curation.rewrites import describe_answer, describe_rewrite
from feedback_pipeline.curation.sql import Columns, parse_query
from feedback_pipeline_tests.curation.random_queries import COLUMNS, Query, Spelling, queries, spellings

SCHEMA: Columns = {
    "singer": {"id": "INTEGER", "name": "TEXT", "age": "INTEGER", "country": "TEXT"},
    "song": {"id": "INTEGER", "singer_id": "INTEGER", "title": "TEXT"},
}
GENERATED = "SELECT name FROM singer WHERE country = 'USA'"


def rewrite(generated: str, corrected: str, columns: Columns | None = SCHEMA) -> Rewrite:
    return describe_rewrite(parse_query(generated, "sqlite"), parse_query(corrected, "sqlite"), "sqlite", columns)


def answer(sql: str, dialect: str = "sqlite") -> Rewrite:
    return describe_answer(parse_query(sql, dialect), dialect)


def test_kinds_are_either_flags_or_notes():
    assert not FLAGS.keys() & NOTES.keys()


@pytest.mark.parametrize(
    ("corrected", "changes"),
    [
        ("SELECT T1.name FROM singer T1 WHERE T1.country = 'France'", "'USA' → 'France'"),
        ("SELECT name FROM singer WHERE 'usa' = country", "'USA' → 'usa'"),
        ("SELECT name FROM singer WHERE country = 1", "'USA' → 1"),
        ("SELECT name FROM singer WHERE country = -1", "'USA' → -1"),
    ],
)
def test_a_change_of_values_alone_is_listed(corrected: str, changes: str):
    described = rewrite(GENERATED, corrected)

    assert (described.kinds, described.flags) == (("literal_only",), ())
    assert described.sentences == (f"only values differ: {changes}",)


def test_values_are_listed_in_the_order_of_the_query_and_a_list_counts_as_one():
    described = rewrite(
        "SELECT name FROM singer WHERE age IN (1, 2) AND country = 'x' LIMIT 1",
        "SELECT name FROM singer WHERE age IN (3, 4, 5) AND country = 'x' LIMIT 5",
    )

    assert described.sentences == ("only values differ: (1, 2) → (3, 4, 5), 1 → 5",)


def test_of_many_changed_values_the_first_are_listed():
    def query(first: int) -> str:
        return "SELECT name FROM singer WHERE " + " OR ".join(f"id > {first + n} AND name = '{n}'" for n in range(8))

    described = rewrite(query(10), query(50))

    assert described.sentences[0].endswith("13 → 53, 14 → 54 and 3 more")


@pytest.mark.parametrize(
    "corrected",
    [
        "SELECT id FROM singer WHERE country = 'France'",
        "SELECT name AS n FROM singer WHERE country = 'France'",
        "SELECT name FROM singer WHERE country <> 'France'",
        "SELECT name FROM singer WHERE country = name",
        "SELECT name FROM singer WHERE country IS NULL",
    ],
)
def test_more_than_values_is_not_called_a_change_of_values(corrected: str):
    assert "literal_only" not in rewrite(GENERATED, corrected).kinds


@pytest.mark.parametrize(
    ("generated", "corrected", "kind"),
    [
        ("SELECT id, name FROM singer WHERE age > 1", "SELECT * FROM singer WHERE age > 1", "select_star_only"),
        ("SELECT id, singer_id, title FROM song", "SELECT s.* FROM song s", "select_star_only"),
        ("SELECT * FROM song", "SELECT id, singer_id, title FROM song", "select_star_only"),
        ("SELECT * FROM song", "SELECT title FROM song", "columns_only"),
        ("SELECT id FROM song", "SELECT title FROM song", "columns_only"),
        ("SELECT COUNT(id) FROM song", "SELECT COUNT(*) FROM song", "columns_only"),
        ("SELECT id, title FROM song", "SELECT title, id FROM song", "columns_reordered_only"),
        ("SELECT id AS n FROM song", "SELECT id FROM song", "headings_only"),
        ("SELECT id FROM song", "SELECT DISTINCT id FROM song", "distinct_only"),
        ("SELECT id FROM song", "SELECT id FROM song WHERE id > 1", "filter_only"),
        ("SELECT id FROM song", "SELECT id FROM song ORDER BY id LIMIT 1", "order_or_limit_only"),
        ("SELECT id FROM song ORDER BY id", "SELECT id FROM song ORDER BY id DESC", "order_or_limit_only"),
        ("SELECT * FROM song WHERE id > 1", "SELECT * FROM song", "whole_table"),
        ("SELECT title FROM song WHERE id > 1", "SELECT * FROM song", "whole_table"),
        (GENERATED, f"{GENERATED} OR 1 = 1", "tautological"),
        (GENERATED, "SELECT 'Bob' AS name", "constant_answer"),
    ],
)
def test_a_rewrite_is_named_after_what_differs(generated: str, corrected: str, kind: str):
    assert kind in rewrite(generated, corrected).kinds


@pytest.mark.parametrize(
    ("generated", "corrected"),
    [
        ("SELECT id FROM song", "SELECT name FROM singer"),
        ("SELECT id FROM song", "SELECT DISTINCT title FROM song"),
        ("SELECT id FROM song", "SELECT id FROM song UNION SELECT id FROM singer"),
        ("SELECT id FROM song", "SELECT id, COUNT(*) FROM song GROUP BY id"),
        ("SELECT id FROM song", "WITH x AS (SELECT 1) SELECT id FROM song"),
        ("SELECT id FROM song LIMIT 1", "SELECT title FROM song LIMIT 2"),
        (
            "SELECT name FROM singer JOIN song ON singer.id = song.singer_id",
            "SELECT singer.name FROM singer JOIN song ON singer.id = song.singer_id",
        ),
    ],
)
def test_a_rewrite_that_fits_no_name_gets_none(generated: str, corrected: str):
    assert rewrite(generated, corrected).kinds == ()


def test_a_condition_made_void_is_told_with_the_condition_it_replaces():
    described = rewrite(GENERATED, "SELECT name FROM singer WHERE country = 'USA' OR 'a' = 'a'")

    assert described.flags == ("tautological",)
    assert described.sentences == (
        "“'a' = 'a'” in WHERE is always true: it filters nothing",
        "the generated SQL filters by “country = 'USA'”; the correction lets every row pass",
        "differs only in WHERE",
    )


@pytest.mark.parametrize(
    "poison",
    [
        *("1 = 1", "1", "TRUE", "2 > 1", "'a' = 'a'", "NOT 1 = 0", "NULL IS NULL", "1 IN (1)", "EXISTS (SELECT 1)"),
        *("name = name", "name LIKE '%'", "name IS NULL OR name IS NOT NULL", "age > 3 OR age <= 3"),
    ],
)
@pytest.mark.parametrize("place", ["WHERE {}", "WHERE age = 1 OR {}", "WHERE age = 1 AND (id = 2 OR ({}))"])
def test_a_condition_that_is_always_true_is_flagged(poison: str, place: str):
    described = answer(f"SELECT name FROM singer {place.format(poison)}")

    assert described.flags == ("tautological",) or described.kinds == ("idle_condition",)
    assert described.flags or place.startswith("WHERE age = 1 AND")


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT id FROM song WHERE 1 = 0", "“1 = 0” in WHERE is never true: no row can pass"),
        ("SELECT id FROM song WHERE id = NULL", "“id = NULL” in WHERE is never true (or NULL): no row can pass"),
        ("SELECT id FROM song WHERE id <> id", "“id <> id” in WHERE is never true (or NULL): no row can pass"),
        (
            "SELECT id FROM song WHERE title = 'a' AND title = 'b'",
            "“title = 'a' AND title = 'b'” in WHERE is never true (or NULL): no row can pass",
        ),
        (
            "SELECT id FROM song WHERE id IN (SELECT id FROM singer WHERE FALSE)",
            "“FALSE” in WHERE of a subquery is never true: no row can pass",
        ),
        ("SELECT id FROM song GROUP BY id HAVING 1 > 2", "“1 > 2” in HAVING is never true: no row can pass"),
        ("SELECT id FROM song LIMIT 0", "LIMIT 0 returns no rows"),
    ],
)
def test_what_can_find_nothing_is_flagged(sql: str, sentence: str):
    described = answer(sql)

    assert (described.flags, described.sentences) == (("contradictory",), (sentence,))


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("sqlite", "SELECT 42"),
        ("sqlite", "SELECT 'Bob' AS name UNION SELECT 'Ann'"),
        ("sqlite", "WITH x AS (SELECT 42 AS a) SELECT a FROM x"),
        ("postgres", "SELECT * FROM (VALUES (1), (2)) AS v(a)"),
    ],
)
def test_an_answer_that_reads_no_table_is_flagged(dialect: str, sql: str):
    assert "constant_answer" in answer(sql, dialect).flags


def test_a_join_on_a_column_and_itself_is_flagged_and_a_cross_join_is_not():
    assert answer("SELECT s.id FROM song s JOIN singer g ON s.id = s.id").flags == ("tautological",)
    assert answer("SELECT s.id FROM song s JOIN singer g ON 1 = 1").kinds == ()


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("SELECT id FROM song WHERE 1 = 1 AND id = 2", ("idle_condition",)),
        ("SELECT id FROM song WHERE 1 = 0 OR id = 2", ("idle_condition",)),
        ("SELECT * FROM song", ("select_star",)),
        ("SELECT COUNT(*) FROM song", ()),
        ("SELECT a FROM generate_series(1, 3) AS g(a)", ()),
        ("SELECT id FROM song WHERE title LIKE '%love%' AND id IS NOT NULL AND singer_id = id", ()),
        ("SELECT id FROM song WHERE title = 'a' OR title = 'b'", ()),
        ("SELECT a.id FROM song a JOIN song b ON a.id = b.id WHERE a.title = b.title", ()),
    ],
)
def test_honest_answers_raise_no_flag(sql: str, kinds: tuple[str, ...]):
    described = answer(sql, "postgres")

    assert (described.kinds, described.flags) == (kinds, ())


@pytest.mark.parametrize(
    "corrected",
    [
        "SELECT COUNT(*) FROM singer",
        "SELECT COUNT(*) FROM singer AS s",
        "SELECT COUNT(*) FROM singer LIMIT 1",
        "SELECT COUNT(*) FROM singer ORDER BY 1 LIMIT 1",
        "SELECT DISTINCT COUNT(*) FROM singer",
        "SELECT COUNT(*), 1 = 1 FROM singer",
        "SELECT COUNT(*) FROM singer GROUP BY NULL",
        "SELECT name FROM singer ORDER BY name",
    ],
)
@pytest.mark.parametrize(
    "condition",
    ["country = 'Italy'", "EXISTS (SELECT 1 FROM song WHERE song.singer_id = singer.id)", "age > 1 AND id IN (1, 2)"],
)
def test_a_filter_that_is_dropped_is_flagged(condition: str, corrected: str):
    assert rewrite(f"SELECT COUNT(*) FROM singer WHERE {condition}", corrected).flags == ("filter_removed",)


def test_groups_that_are_no_longer_filtered_are_flagged():
    described = rewrite(
        "SELECT age FROM singer WHERE id > 1 GROUP BY age HAVING COUNT(*) > 2", "SELECT age FROM singer GROUP BY age"
    )

    assert described.flags == ("filter_removed",)
    assert described.sentences[0] == "drops WHERE and HAVING of the generated SQL, and filters by nothing"


@pytest.mark.parametrize(
    ("generated", "corrected"),
    [
        ("SELECT name FROM singer WHERE age > 3", "SELECT name FROM singer WHERE id > 3"),
        (
            "SELECT name FROM singer WHERE age = (SELECT MIN(age) FROM singer)",
            "SELECT name FROM singer ORDER BY age LIMIT 1",
        ),
        ("SELECT COUNT(*) FROM singer WHERE age > 3", "SELECT SUM(age > 3) FROM singer"),
        ("SELECT COUNT(*) FROM singer WHERE age > 3", "SELECT COUNT(CASE WHEN age > 3 THEN 1 END) FROM singer"),
        ("SELECT COUNT(*) FROM singer WHERE age > 3", "SELECT COUNT(*) FROM (SELECT 1 FROM singer WHERE age > 3)"),
        ("SELECT COUNT(*) FROM singer WHERE age > 3", "SELECT age, COUNT(*) FROM singer GROUP BY age"),
        ("SELECT COUNT(*) FROM singer WHERE age > 3", "SELECT COUNT(*) FROM song"),
        ("SELECT COUNT(*) FROM singer", "SELECT COUNT(id) FROM singer"),
        (
            "SELECT title FROM song s JOIN singer g ON g.id = s.singer_id WHERE g.age > 3",
            "SELECT title FROM song s JOIN singer g ON g.id = s.singer_id AND g.age > 3",
        ),
    ],
)
def test_a_filter_that_is_elsewhere_is_not_called_removed(generated: str, corrected: str):
    assert rewrite(generated, corrected).flags == ()


@pytest.mark.parametrize("place", ["WHERE {}", "WHERE age = 1 OR {}", "WHERE NOT (age = 1 AND NOT {})"])
@pytest.mark.parametrize(
    "condition",
    ["length('abc') = 3", "'b' > 'a'", "'a'", "(SELECT 1) = 1", "(SELECT MAX(6) FROM song) = 6", "upper('a') = 'A'"],
)
def test_a_condition_that_reads_no_data_is_flagged(condition: str, place: str):
    described = answer(f"SELECT name FROM singer {place.format(condition)}")

    assert described.flags == ("constant_condition",)
    assert described.sentences[0].endswith("reads no data: it is the same for all rows")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM singer WHERE EXISTS (SELECT 1 FROM song)",
        "SELECT name FROM singer WHERE (SELECT COUNT(1) FROM song) > 3",
        "SELECT name FROM singer WHERE 3 IN (SELECT id FROM song)",
        "SELECT name FROM singer WHERE ? IS NULL OR name = ?",
        "SELECT name FROM singer GROUP BY name HAVING COUNT(1) > 3",
        'SELECT name FROM singer WHERE "age" > 3',
        "SELECT 1, name FROM singer",
        "SELECT COUNT(1) FROM singer",
        "SELECT SUM(1) FROM singer",
        "SELECT EXISTS (SELECT 1 FROM singer)",
        "SELECT (SELECT COUNT(*) FROM singer)",
        "SELECT ROW_NUMBER() OVER () FROM singer",
        "SELECT 'all', COUNT(*) FROM singer UNION ALL SELECT 'none', 0 FROM singer",
        "SELECT COUNT(*) FROM (SELECT 1 FROM singer)",
        "WITH old AS (SELECT name FROM singer) SELECT name FROM old",
        "SELECT name FROM singer LIMIT 1 OFFSET 10",
    ],
)
def test_what_reads_data_is_not_called_constant(sql: str):
    assert answer(sql).flags == ()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 6 FROM singer LIMIT 1",
        "SELECT DISTINCT 6 FROM singer",
        "SELECT MAX(6) FROM singer",
        "SELECT COUNT(DISTINCT 6) FROM singer",
        "SELECT 6 WHERE EXISTS (SELECT 1 FROM singer)",
        "SELECT 'a' FROM singer UNION SELECT 'b' FROM song",
        "SELECT (SELECT 6 FROM singer LIMIT 1)",
        "SELECT a FROM (SELECT 6 AS a FROM singer LIMIT 1)",
        "SELECT * FROM (SELECT 6 AS a FROM singer LIMIT 1)",
        "WITH x AS (SELECT 6 AS a FROM singer) SELECT a FROM x",
    ],
)
def test_an_answer_that_shows_no_data_is_flagged(sql: str):
    assert answer(sql).flags == ("constant_answer",)


@pytest.mark.parametrize("limit", ["0", "1 - 1", "0 * 5", "abs(0)"])
def test_a_limit_that_comes_to_nothing_is_flagged(limit: str):
    assert answer(f"SELECT id FROM song LIMIT {limit}").flags == ("contradictory",)
    assert answer("SELECT id FROM song FETCH FIRST 0 ROWS ONLY", "postgres").flags == ("contradictory",)


@pytest.mark.parametrize(
    ("offset", "flags"), [("999999", ()), ("1000000", ("huge_offset",)), ("1000 * 1000", ("huge_offset",))]
)
def test_an_offset_is_flagged_from_a_million(offset: str, flags: tuple[str, ...]):
    assert answer(f"SELECT id FROM song LIMIT 1 OFFSET {offset}").flags == flags


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("sqlite", "SELECT id FROM song ORDER BY random()"),
        ("sqlite", "SELECT id FROM song WHERE random() > 0"),
        ("sqlite", "SELECT id, hex(randomblob(4)) FROM song"),
        ("postgres", "SELECT id FROM song WHERE id IN (SELECT id FROM singer ORDER BY random() LIMIT 3)"),
        ("postgres", "SELECT id, gen_random_uuid() FROM song"),
        ("postgres", "SELECT id FROM song TABLESAMPLE BERNOULLI (10)"),
        ("mysql", "SELECT id FROM song ORDER BY rand()"),
    ],
)
def test_chance_is_flagged(dialect: str, sql: str):
    assert answer(sql, dialect).flags == ("non_deterministic",)


@pytest.mark.parametrize(
    ("dialect", "clock"),
    [
        *(("sqlite", clock) for clock in ("CURRENT_DATE", "date('now')", "date()", "datetime('now', '-1 day')")),
        *(("sqlite", clock) for clock in ("strftime('%Y', 'now')", "julianday('NOW')", "CURRENT_TIMESTAMP")),
        *(("postgres", clock) for clock in ("now()", "CURRENT_DATE", "CAST('now' AS TIMESTAMP)", "clock_timestamp()")),
        *(("mysql", clock) for clock in ("now()", "curdate()", "sysdate()")),
    ],
)
def test_the_clock_is_noted_and_raises_no_doubt(dialect: str, clock: str):
    described = answer(f"SELECT id FROM song WHERE title < {clock}", dialect)

    assert (described.kinds, described.flags) == (("depends_on_time",), ())


@pytest.mark.parametrize(
    "fixed", ["date('2024-01-01')", "strftime('%Y', title)", "'now'", "lower('now')", "CAST('now' AS TEXT)"]
)
def test_a_fixed_time_is_not_called_the_clock(fixed: str):
    assert answer(f"SELECT id FROM song WHERE title < {fixed}").kinds == ()


@given(query=queries(), other=queries(), one=spellings, two=spellings)
def test_any_two_queries_can_be_described(query: Query, other: Query, one: Spelling, two: Spelling):
    described = rewrite(query.written(one), other.written(two), COLUMNS)

    assert set(described.kinds) <= FLAGS.keys() | NOTES.keys()
    assert len(described.sentences) >= len(described.kinds) > 0 or not described.sentences


@given(query=queries(), one=spellings, two=spellings, limits=st.permutations([3, 4, 5]))
def test_another_value_is_a_change_of_values_alone(query: Query, one: Spelling, two: Spelling, limits: list[int]):
    before, after = (replace(query, limit=limit) for limit in limits[:2])

    described = rewrite(before.written(one), after.written(two), COLUMNS)

    assert "literal_only" in described.kinds
    assert any(sentence.endswith(f"{limits[0]} → {limits[1]}") for sentence in described.sentences)


@given(query=queries(), spelling=spellings)
def test_a_filter_widened_by_what_is_always_true_is_tautological(query: Query, spelling: Spelling):
    plain = replace(spelling, always_true=False)
    query = replace(query, order=None, limit=None)
    sql = query.written(plain)
    assume(query.conditions or query.correlated)

    described = rewrite(sql, f"{sql} OR 1 = 1", COLUMNS)

    assert "tautological" in described.flags


@given(query=queries(), one=spellings, two=spellings)
def test_between_spellings_of_one_query_no_value_is_said_to_change(query: Query, one: Spelling, two: Spelling):
    sentences = rewrite(query.written(one), query.written(two), COLUMNS).sentences

    assert "only values differ" in sentences
