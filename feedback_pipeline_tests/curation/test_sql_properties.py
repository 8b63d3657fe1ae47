"""What must hold of the canonical form for any query: checked by running random ones on a real database."""

from collections import defaultdict

from hypothesis import assume, example, given
from hypothesis import strategies as st

from feedback_pipeline.curation.sql import SqlError, canonical, parse_query
from feedback_pipeline_tests.curation.random_queries import COLUMNS, Query, Spelling, database, queries, spellings

_DATABASE = database()
_PIECES = ["a", "b", "c", "t.a", "0", "1", "'x'", "'1'", "NULL", "TRUE", "1 + 1", "- a", "a || c", '"zzz"']
_LITERALS = ["0", "1", "'x'", "'1'", "'X'"]
_OPERATORS = ["AND", "OR", "=", "<>", "<", "+", "||", "IS", "LIKE"]


def text_of(sql: str) -> str:
    return canonical(parse_query(sql, "sqlite"), "sqlite", COLUMNS).text


def is_read(sql: str) -> bool:
    """Tell whether both parsers take it; the second refuses some that SQLite takes, such as ``a IS 1 + 1``."""
    try:
        parse_query(sql, "sqlite")
    except SqlError:
        return False
    return True


def rows_of(sql: str) -> list[tuple]:
    return _DATABASE.execute(sql).fetchall()


expressions = st.recursive(
    st.sampled_from(_PIECES),
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(_OPERATORS), inner),
        st.builds("({})".format, inner),
        st.builds("(NOT {})".format, inner),
        st.builds("({} BETWEEN {} AND {})".format, inner, inner, inner),
        st.builds("({} IN ({}, {}))".format, inner, st.sampled_from(_LITERALS), st.sampled_from(_LITERALS)),
        st.builds("CASE WHEN {} THEN {} ELSE NULL END".format, inner, inner),
        st.builds("CASE WHEN {} THEN {} END".format, inner, inner),
        st.builds("CAST({} AS {})".format, inner, st.sampled_from(["REAL", "NUMERIC", "INTEGER", "TEXT"])),
    ),
    max_leaves=5,
)


@given(query=queries(), one=spellings, other=spellings)
def test_a_query_has_one_canonical_form_however_it_is_spelled(query: Query, one: Spelling, other: Spelling):
    assert text_of(query.written(one)) == text_of(query.written(other))


@given(st.lists(st.tuples(queries(), spellings), min_size=2, max_size=30))
def test_queries_with_equal_canonical_form_give_equal_results(drawn: list[tuple[Query, Spelling]]):
    answers = defaultdict(list)
    for query, spelling in drawn:
        sql = query.written(spelling)
        answers[text_of(sql)].append(rows_of(sql))
    for same in answers.values():
        assert all(rows == same[0] for rows in same)


@given(query=queries(), spelling=spellings)
def test_the_canonical_form_itself_gives_the_same_result(query: Query, spelling: Spelling):
    sql = query.written(spelling)

    assert rows_of(text_of(sql)) == rows_of(sql)


@given(query=queries(), spelling=spellings)
def test_canonicalising_twice_changes_nothing(query: Query, spelling: Spelling):
    once = text_of(query.written(spelling))

    assert text_of(once) == once


@given(shown=expressions, condition=expressions, order=expressions)
@example(shown="a", condition="a", order="(NOT (a BETWEEN a AND a < a))")
@example(shown="(NOT (a LIKE b < c))", condition="a", order="a")
def test_any_expression_keeps_its_value_in_canonical_form(shown: str, condition: str, order: str):
    sql = f"SELECT {shown}, {order} FROM t WHERE {condition} ORDER BY COALESCE({order}, 1)"

    assume(is_read(sql))
    text = text_of(sql)

    assert rows_of(text) == rows_of(sql)
    assert text_of(text) == text
