"""When an example's SQL is offered with the values of another question, and when it is not."""

import subprocess
import sys
import time

import pytest
import sqlglot
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot import exp

from feedback_pipeline.curation.sql_values import sql_values
from feedback_pipeline.masking.adapted_literals import DoubtError
from feedback_pipeline.masking.adapting import Adaptation, Substitution, adapt, adapt_or_doubt, agreeing
from feedback_pipeline.masking.found import FoundValue, Kind, MaskedQuestion
from feedback_pipeline.masking.learning import learn
from feedback_pipeline.masking.masker import QuestionMasker

SAMPLE = [
    *((name, "city.name") for name in ("Boston", "Denver", "New York", "San Jose", "Coeur d'Alene", "50%_off")),
    *((name, "city.state") for name in ("Ohio", "Texas", "New York")),
    *((name, "river.name") for name in ("Ohio", "Red River")),
    *((name, "band.name") for name in ("ABBA", "Abba", "Blur")),
]
CITY = "SELECT population FROM city WHERE city.name = 'Boston'"
STATE = "SELECT name FROM city WHERE city.state = 'Texas'"
ROUTE = "SELECT id FROM flight WHERE origin_city.name = 'Boston' AND target_city.name = 'Denver'"


def adapted(question: str, sql: str, asked: str) -> Adaptation:
    """Adapt as the product does: both questions are masked with what is known of the database."""
    literals = sql_values(sql, "sqlite", None)
    places = [(name, column) for name in ("Boston", "Denver") for column in ("origin_city.name", "target_city.name")]
    masker = QuestionMasker(learn([(question, literals)], [*SAMPLE, *places]))
    return adapt_or_doubt(sql, literals, masker.mask(question), masker.mask(asked))


def doubt(question: str, sql: str, asked: str) -> str:
    with pytest.raises(DoubtError) as raised:
        adapted(question, sql, asked)
    return str(raised.value)


def test_value_of_the_question_takes_the_place_of_the_examples_and_is_listed() -> None:
    offer = adapted("How many people live in Boston?", CITY, "how many people live in denver")

    assert offer == Adaptation(
        "SELECT population FROM city WHERE city.name = 'Denver'",
        (Substitution("city.name", "Boston", "Denver", CITY.index("'"), len(CITY)),),
    )


def test_same_question_keeps_its_sql() -> None:
    assert adapted("How many people live in Boston?", CITY, "how many people live in BOSTON") == Adaptation(CITY, ())


def test_value_is_changed_wherever_the_sql_says_it() -> None:
    sql = (
        "SELECT name FROM city WHERE population = (SELECT MAX(population) FROM city WHERE city.state = 'Texas') "
        "AND city.state = 'Texas'"
    )

    offer = adapted("biggest city in Texas", sql, "biggest city in Ohio")

    assert offer.sql == sql.replace("Texas", "Ohio")
    assert [change.after for change in offer.substitutions] == ["Ohio", "Ohio"]


def test_values_change_places_by_the_order_of_the_words() -> None:
    offer = adapted("flights from Boston to Denver", ROUTE, "flights from Denver to Boston")

    assert offer.sql == ROUTE.replace("Boston", "?").replace("Denver", "Boston").replace("?", "Denver")


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("what is the population of Boston", "Please tell me: what is the population of Denver?"),
        ("List all the people in Boston", "people in Denver"),
        ("Show me the rivers that run through Boston", "which rivers run through Denver?"),
    ],
)
def test_words_that_only_ask_may_differ(question: str, asked: str) -> None:
    assert adapted(question, CITY, asked).sql == CITY.replace("Boston", "Denver")


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("flights from Boston to Denver", "flights to Denver from Boston"),
        ("flights from Boston to Denver", "flights to Boston from Denver"),
        ("flights from Boston to Denver", "flights from Boston and Denver"),
        ("flights from Boston to Denver", "flights not from Boston to Denver"),
        ("flights from Boston to Denver", "flights from Boston"),
        ("flights from Boston to Denver", "flights from Boston to Denver to New York"),
        ("flights from Boston to Denver", "flights from Boston to Narnia"),
        ("flights from Boston to Denver", "number of flights from Boston to Denver"),
        ("flights from Boston to Denver", "cheapest flights from Boston to Denver"),
        ("flights from Boston to Denver", "return flights from Boston to Denver"),
        ("price of flights from Boston to Denver", "list price of flights from Boston to Denver"),
        ("price of flights from Boston to Denver", "name, price of flights from Boston to Denver"),
    ],
)
def test_question_that_says_anything_else_gets_no_offer(question: str, asked: str) -> None:
    doubt(question, ROUTE, asked)


@pytest.mark.parametrize("said", ["!=", "<>", ">=", "<=", "==", "<", ">", "≠", "≥", "!", "-", "+", "not =", ": !"])
def test_sign_beside_a_value_counts_as_a_word_does(said: str) -> None:
    sql = "SELECT id FROM orders WHERE amount <> 5"

    assert adapted(f"orders where amount {said} 5", sql, f"orders where amount {said} 7.").sql.endswith(" 7")
    doubt(f"orders where amount {said} 5", sql, "orders where amount = 7")
    doubt("orders where amount = 5", sql, f"orders where amount {said} 7")


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("people with home != Boston", "people with home = Denver"),
        ("people with home != Boston", "people with home = Boston"),
        ("people with home! = Boston", "people with home = Boston"),
        ("people of !Boston", "people of Boston"),
        ('people of !"Boston"', 'people of "Boston"'),
        ("people of ! Boston", "people of Boston"),
        ("old and (rich or from Boston)", "(old and rich) or from Boston"),
    ],
)
def test_question_that_means_the_opposite_gets_no_offer(question: str, asked: str) -> None:
    doubt(question, CITY, asked)


@pytest.mark.parametrize(
    "asked",
    ["people of Denver?", "people of Denver ?", "people of Denver!", "people of Denver?!", '"people of Denver."'],
)
def test_mark_at_the_end_of_a_question_may_differ(asked: str) -> None:
    assert adapted("people of Boston", CITY, asked).sql == CITY.replace("Boston", "Denver")


def test_value_that_is_known_for_another_column_is_not_offered() -> None:
    assert doubt("how many people live in Texas", STATE, "how many people live in Boston") == (
        "the new value may mean something else"
    )


def test_value_that_is_not_known_for_the_column_is_not_offered() -> None:
    sql = "SELECT name FROM town WHERE town.name = 'Boston'"

    assert doubt("people of Boston", sql, "people of Denver") == "the new value is not known for the column"


def test_value_that_the_sql_does_not_hold_is_not_exchanged() -> None:
    sql = "SELECT name FROM city WHERE city.id = 5"
    old, new = slot("Boston", "known", "Boston"), slot("Denver", "known", "Denver")

    with pytest.raises(DoubtError, match="does not stand in the SQL"):
        adapt_or_doubt(sql, sql_values(sql, "sqlite", None), old, new)


@pytest.mark.parametrize(
    "constant",
    [
        "city.state_code = 'MA'",  # may follow from the city
        "city.state_id = 7",
        "city.name <> 'East Boston'",
    ],
)
def test_constant_that_may_follow_from_the_value_stops_the_offer(constant: str) -> None:
    assert "value" in doubt("people of Boston", f"{CITY} AND {constant}", "people of Denver")


def test_constant_of_the_template_stays() -> None:
    sql = f"{CITY} AND city.population > 150000 AND city.region <> ''"

    assert adapted("major people of Boston", sql, "major people of Denver").sql == sql.replace("Boston", "Denver")


def test_one_value_cannot_become_two() -> None:
    sql = "SELECT id FROM flight WHERE origin_city.name = 'Boston' AND target_city.name = 'Boston'"

    assert doubt("from Boston to Boston", sql, "from Boston to Denver") == "one value would become two"


def test_database_with_two_spellings_leaves_the_value_in_doubt() -> None:
    sql = "SELECT id FROM band WHERE band.name = 'Blur'"
    upper = "SELECT id FROM band WHERE band.name = 'BLUR'"

    assert adapted("songs by Blur", sql, "songs by abba").substitutions[0].after == "Abba"
    assert adapted("songs by Blur", upper, "songs by abba").substitutions[0].after == "ABBA"
    assert doubt("songs by Blur", sql.replace("Blur", "blur"), "songs by abba") == (
        "the database's spelling is not known"
    )


def test_case_follows_the_function_around_the_column() -> None:
    lower = "SELECT population FROM city WHERE LOWER(city.name) = 'boston'"
    upper = "SELECT population FROM city WHERE UPPER(city.name) IN ('BOSTON')"
    elsewhere = "SELECT LOWER(state) FROM city WHERE city.name = 'boston'"

    assert adapted("people of Boston", lower, "people of Denver").sql == lower.replace("boston", "denver")
    assert adapted("people of Boston", upper, "people of Denver").sql == upper.replace("BOSTON", "DENVER")
    assert doubt("people of Boston", elsewhere, "people of Denver") == "the SQL changes the case of texts"


def test_pattern_keeps_its_signs() -> None:
    sql = "SELECT population FROM city WHERE city.name LIKE '%Boston_'"

    assert adapted("people of Boston", sql, "people of San Jose").sql == sql.replace("Boston", "San Jose")


@pytest.mark.parametrize("pattern", ["LIKE '%Boston%'", "LIKE 'Boston'", "GLOB 'Boston'"])
def test_value_with_signs_is_not_put_into_a_pattern(pattern: str) -> None:
    sql = f"SELECT population FROM city WHERE city.name {pattern}"

    assert doubt("people of Boston", sql, "people of 50%_off") == "the value may be read as a pattern"


def test_quote_in_a_value_is_doubled() -> None:
    offer = adapted("people of Boston", CITY, "people of coeur d'alene")

    assert offer.sql == "SELECT population FROM city WHERE city.name = 'Coeur d''Alene'"


def test_text_is_written_in_single_quotes_lest_it_become_a_column() -> None:
    sql = CITY.replace("'", '"')

    assert adapted("people of Boston", sql, "people of Denver").sql == CITY.replace("Boston", "Denver")


@pytest.mark.parametrize(
    ("condition", "said", "asked", "result"),
    [
        ("population > 5000", "5000", "150,000", "population > 150000"),
        ("population > 5000", "5,000", "7.5", "population > 7.5"),
        ("population > -5", "-5", "-7", "population > -7"),
        ("year = '2010'", "2010", "2011", "year = '2011'"),
        ("day = '2010-05-01'", "2010-05-01", "2011-06-30", "day = '2011-06-30'"),
        ("title = 'Jaws'", '"Jaws"', '"Alien"', "title = 'Alien'"),
        ("code = 'AB-12'", "AB-12", "XY-34", "code = 'XY-34'"),
        ("1 = 1 GROUP BY id HAVING COUNT(*) > 3", "3", "4", "1 = 1 GROUP BY id HAVING COUNT(*) > 4"),
        ("name IS NOT NULL LIMIT 5", "5", "3", "name IS NOT NULL LIMIT 3"),
    ],
)
def test_value_that_is_written_out_is_taken_as_written(condition: str, said: str, asked: str, result: str) -> None:
    offer = adapted(f"things with {said} please", f"SELECT id FROM t WHERE {condition}", f"things with {asked} please")

    assert offer.sql == f"SELECT id FROM t WHERE {result}"


@pytest.mark.parametrize(
    ("condition", "said", "asked"),
    [
        ("population > 5000000", "5 million", "7 million"),
        ("population > 5", "5", "5th"),
        ("population > 1500000 ORDER BY population LIMIT 1", "1.5M", "2.5M"),
        ("votes > 7500 LIMIT 7", "7.5k", "8.5k"),
        ("population > 3200000 LIMIT 3", "3.2M", "4.2M"),
        ("population > 1500000 LIMIT 1", "1 500 000", "2 500 000"),
        ("population > 1500000 LIMIT 1", "1'500'000", "2'500'000"),
        ("price > 1.5 LIMIT 1", "1,5", "2,5"),
        ("major = 4 AND minor = 5", "4.5.2", "6.5.2"),
        ("price > 5", "5", "5.5M"),
        ("population > 1000000 LIMIT 1", "1 million", "2 million"),
        ("year = 2020 OR other.year = 2019", "2020", "2022"),
        ("year = '2020' OR other.z = 2021", "2020", "2022"),
        ("day > '2020-05-01' AND other.z = 2019", "2020-05-01", "2022-05-01"),
        ("price > 15 OR other.cents > 1500", "15", "25"),
        ("percent > 50 OR other.share > 0.5", "50", "60"),
        ("population > 5", "5", "007"),
        ("population > 5", "5", "99999999999999999999"),
        ("population > 5 AND population < 9", "5", "7"),  # 9 may follow from 5
        ("area > 5 LIMIT 5", "5", "7"),
        ("ROUND(area, 2) > 7", "2", "3"),
        ("area > 7 ORDER BY 2", "2", "3"),
        ("name IS NOT NULL LIMIT 5", "5", "2.5"),
        ("name IS NOT NULL LIMIT 5", "5", "0"),
        ("name IS NOT NULL LIMIT 5", "5", "-1"),
        ("a -5 > b", "5", "-3"),
        ("day = '2010-05-01'", "2010-05-01", "2011-13-45"),
        ("day = '2010-05-01'", "2010-05-01", "5/1/2010"),
        ("day = '2010-05-01'", "May 1 2010", "May 2 2010"),
        ("day BETWEEN '2010-05-01' AND '2010-05-31'", "2010-05-01", "2010-06-01"),
        ("title = 'Jaws'", '"Jaws"', '"alien"'),
        ("title = 'Jaws'", '"jaws"', '"alien"'),
        ("code = 'AB-12'", "AB-12", "12-AB"),
        ("code = 'AB-12'", "AB-12", "ab-12"),
        ("code = 'AB'", '"AB"', '"ab"'),
    ],
)
def test_value_that_may_be_meant_otherwise_is_not_offered(condition: str, said: str, asked: str) -> None:
    doubt(f"things with {said} please", f"SELECT id FROM t WHERE {condition}", f"things with {asked} please")


@pytest.mark.parametrize("kind", ["name", "unseen"])
def test_name_that_the_database_is_not_known_to_hold_is_not_offered(kind: Kind) -> None:
    with pytest.raises(DoubtError, match="the database's spelling is not known"):
        adapt_or_doubt(
            CITY,
            sql_values(CITY, "sqlite", None),
            slot("Boston", "known", "Boston"),
            slot("Atlantis", kind, "Atlantis"),
        )


def test_number_that_has_nothing_to_do_with_the_one_that_goes_stays() -> None:
    sql = "SELECT id FROM t WHERE year = 2020 AND population > 150000"

    assert adapted("major towns of 2020", sql, "major towns of 2022").sql == sql.replace("2020", "2022")


def test_text_in_quotes_is_the_databases_where_it_is_spelt_as_there() -> None:
    sql = "SELECT id FROM band WHERE band.name = 'Blur'"

    assert adapted('songs by "Blur"', sql, 'songs by "ABBA"').sql == sql.replace("Blur", "ABBA")
    assert doubt('songs by "Blur"', sql, 'songs by "abba"') == "written in another form than the example's"


def test_question_of_any_length_is_answered_at_once() -> None:
    question = "people of Boston " + "and then " * 20_000
    began = time.perf_counter()

    assert doubt(question, CITY, question.replace("Boston", "Denver")) == "a question that is not masked to its end"
    assert time.perf_counter() - began < 1


def test_nothing_is_parsed_where_questions_are_asked() -> None:
    code = "import sys; import feedback_pipeline.masking.adapting; print('sqlglot' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_only_offers_that_agree_with_the_best_are_kept() -> None:
    offer = Adaptation("SELECT 1", ())

    assert agreeing([(None, "a"), (offer, "b"), (offer, "c"), (offer, "b"), (None, "b")]) == [
        None,
        offer,
        None,
        offer,
        None,
    ]
    assert agreeing([(None, "a")]) == [None]


SQL = (
    "SELECT a, 'fixed' FROM t AS x WHERE x.name = 'old' AND x.other LIKE '%old%' AND x.n > 5 "
    'AND x.name IN (SELECT name FROM u WHERE u.name = "old") LIMIT 5'
)
ATTACKS = [
    "'; DROP TABLE t; --",
    "' OR '1'='1",
    "\\' OR 1=1 --",
    '" OR ""="',
    "x' UNION SELECT password FROM users --",
    "/*",
    "0; DELETE FROM t",
    "1 OR 1=1",
    "5--",
    "NULL",
    "$$",
    "a\x00b",
    "ʼ; --",
    "\u2028",
    "%",
]
anything = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=30), st.from_regex(r"[-0-9.,e ]{1,12}"))


def slot(text: str, kind: Kind, spelling: str) -> MaskedQuestion:
    """Return a question whose last word is a value, whatever the database or the user says there."""
    value = FoundValue(6, 6 + len(text), kind, ("t.name", "t.other", "u.name"), (spelling,))
    return MaskedQuestion(f"about {text}", "about [name]", (value,))


@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "mysql", "duckdb", "tsql"])
@given(text=anything, spelling=anything, kind=st.sampled_from(["known", "number", "quoted", "date", "id"]))
@example(text="x", spelling="'; DROP TABLE t; --", kind="known")
@example(text="7", spelling="7", kind="number")
def test_whatever_a_value_says_it_stays_one_literal(dialect: str, text: str, spelling: str, kind: Kind) -> None:
    sql = SQL if dialect in ("sqlite", "mysql") else SQL.replace('"', "'")
    literals = sql_values(sql, dialect, {"t": {"name": "", "other": "", "n": "", "a": ""}, "u": {"name": ""}})
    asked = slot(text, kind, spelling)

    texts = adapt(sql, literals, slot("old", kind, "old"), asked)
    number = adapt(sql, [one for one in literals if one.column == "t.n"], slot("5", kind, "5"), asked)

    for offer in filter(None, (texts, number)):
        assert_only_literals_differ(sql, offer, dialect)


def assert_only_literals_differ(sql: str, offer: Adaptation, dialect: str) -> None:
    [tree], [changed] = statements(sql, dialect), statements(offer.sql, dialect)
    expected = {change.after.lstrip("-") for change in offer.substitutions}
    pairs = zip(tree.find_all(exp.Literal, bfs=False), changed.find_all(exp.Literal, bfs=False), strict=True)
    for before, after in list(pairs):
        assert before.is_string == after.is_string
        assert before.name == after.name or after.name.strip("%") in {text.strip("%") for text in expected}
        after.replace(before.copy())
    assert tree == changed


def statements(sql: str, dialect: str) -> list[exp.Expr]:
    """Parse; a minus sign before a number is a part of it, a name in double quotes is a text as in SQLite."""
    trees = [tree for tree in sqlglot.parse(sql, read=dialect) if tree is not None]
    for tree in trees:
        for minus in list(tree.find_all(exp.Neg)):
            minus.replace(minus.this)
        for column in list(tree.find_all(exp.Column)):
            if column.this.args.get("quoted"):
                column.replace(exp.Literal.string(column.name))
    return trees
