from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from feedback_pipeline.curation.review_value import ASKED, OUTCOMES, SAID, WAITING, chances, review_values

EVEN = dict.fromkeys(OUTCOMES, 0.5)
Row = tuple[str, str, str]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = SAID.empty_table()


def values(waiting: list[Row], asked: list[Row], outcome: str = "passed") -> dict[str, tuple[int, int, float]]:
    """Rows are (ask id, database, question); a waiting one goes by its ask id."""
    names = ("ask_id", "database_id", "natural_query")
    rows = [
        {"feedback_id": row[0], "outcome": outcome, "created_at": NOON, **dict(zip(names, row, strict=True))}
        for row in waiting
    ]
    table = pa.Table.from_pylist(rows, WAITING)
    found = review_values(
        table, pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in asked], ASKED), NOTHING, EVEN
    )
    return {
        row["feedback_id"]: (row["times_asked"], row["similar_waiting"], row["expected_value"])
        for row in found.to_pylist()
    }


def test_what_is_asked_often_and_waits_in_numbers_is_worth_most() -> None:
    often = "What is the longest river of the whole country?"
    waiting = [("f1", "geo", often), ("f2", "geo", often.upper()), ("f3", "geo", "How many lakes are there?")]
    asked = [*waiting, ("i1", "geo", often), ("i2", "geo", "what is the longest river of the whole country")]

    found = values(waiting, asked)

    assert found["f1"] == found["f2"] == (3, 1, 2.5)
    assert found["f3"] == (0, 0, 0.5)


def test_nearly_the_same_question_counts_and_another_value_does_not() -> None:
    one = "show me the name and the length of all rivers that are longer than in Ohio"
    near = "show me the name and the length of all rivers that are longer than in Ohio please"
    other = "show the lakes in Texas"

    found = values([("f1", "geo", one)], [("i1", "geo", near), ("i2", "geo", other)])

    assert found["f1"][0] == 1


def test_the_same_question_about_another_database_is_another_question() -> None:
    assert values([("f1", "geo", "how many?")], [("i1", "shop", "how many?")])["f1"] == (0, 0, 0.5)


def test_the_asking_it_is_about_counts_once_however_many_complain() -> None:
    # Two corrections of one answer, which itself was recorded; a third asking is a true repetition.
    waiting = pa.Table.from_pylist(
        [
            {
                "feedback_id": i,
                "outcome": "passed",
                "created_at": NOON,
                "ask_id": "interaction 7",
                "database_id": "g",
                "natural_query": "q?",
            }
            for i in ("f1", "f2")
        ],
        WAITING,
    )
    asked = pa.table(
        {"ask_id": ["interaction 7", "interaction 8"], "database_id": ["g", "g"], "natural_query": ["q?", "Q"]}, ASKED
    )

    found = review_values(waiting, asked, NOTHING, EVEN)

    assert found["times_asked"].to_pylist() == [1, 1]
    assert found["similar_waiting"].to_pylist() == [1, 1]


def test_an_asking_that_is_too_old_is_not_taken_off() -> None:
    assert values([("f1", "geo", "q?")], [("i1", "geo", "q")])["f1"][0] == 1


@pytest.mark.parametrize("question", ["", " ", "?", "\u200b"])
def test_questions_without_words_break_nothing(question: str) -> None:
    assert values([("f1", "geo", question), ("f2", "geo", "a b c")], [("f1", "geo", question)])["f2"][0] == 0


def test_nothing_asked_and_nothing_waiting() -> None:
    assert values([("f1", "geo", "q?")], [])["f1"] == (0, 0, 0.5)
    assert values([], [("i1", "geo", "q?")]) == {}


def test_what_fails_its_checks_comes_later_before_anybody_has_decided() -> None:
    chance = chances({})

    assert chance["failed"] < chance["flagged"] < chance["passed"]
    assert chances({"flagged": (0, 0)})["flagged"] == 0.5


def test_chances_follow_what_was_decided() -> None:
    # Laplace's rule of succession: (9 + 1) / (18 + 2).
    assert chances({"unchecked": (9, 18)})["unchecked"] == 0.5
    assert chances({"failed": (98, 98)})["failed"] > chances({"passed": (0, 98)})["passed"] > 0
    assert chances({"passed": (0, 10_000)})["passed"] == 0.05


def test_one_more_decision_does_not_move_everything() -> None:
    assert chances({"passed": (800, 1000)}) == chances({"passed": (800, 1001)})


def twins(
    *waiting: tuple[str, int, str, str | None], in_use: tuple[tuple[str, str, str], ...] = ()
) -> dict[str, float]:
    """Return the value of each; rows are (id, age in hours, question, canonical SQL), about the database geo."""
    rows = [
        {
            "feedback_id": i,
            "ask_id": i,
            "database_id": "geo",
            "outcome": "passed",
            "natural_query": question,
            "canonical_sql": sql,
            "created_at": NOON - timedelta(hours=age),
        }
        for i, age, question, sql in waiting
    ]
    said = [dict(zip(SAID.names, row, strict=True)) for row in in_use]
    found = review_values(
        pa.Table.from_pylist(rows, WAITING), ASKED.empty_table(), pa.Table.from_pylist(said, SAID), EVEN
    )
    return dict(zip(found["feedback_id"].to_pylist(), found["expected_value"].to_pylist(), strict=True))


def test_of_what_says_the_same_the_oldest_stands_for_all_and_by_id_where_as_old() -> None:
    found = twins(
        ("b", 1, "How many?", "SELECT 1"), ("c", 1, "how many", "SELECT 1"), ("d", 9, "how MANY?", "SELECT 1")
    )

    assert found == {"d": 1.5, "b": 1.5 / 2, "c": 1.5 / 3}


def test_what_says_the_same_as_something_in_use_comes_later() -> None:
    in_use = (("geo", "HOW many", "SELECT 1"), ("shop", "how many", "SELECT 1"), ("geo", "how many", "SELECT 2"))

    assert twins(("a", 1, "how many", "SELECT 1"), in_use=in_use) == {"a": 0.25}
    assert twins(("a", 1, "how many", None), in_use=in_use) == {"a": 0.5}


def test_another_answer_or_one_that_was_not_read_does_not_say_the_same() -> None:
    found = twins(("a", 3, "q", "SELECT 1"), ("b", 2, "q", "SELECT 2"), ("c", 1, "q", None), ("d", 0, "q", None))

    assert set(found.values()) == {2.0}
