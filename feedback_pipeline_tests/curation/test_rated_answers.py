"""Answers that users rated down: what counts, and what does not."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from feedback_pipeline.curation.rated_answers import MOST_RATED_DOWN, RATED_ANSWERS, Rating, ReadSql, rated_down

START = datetime(2026, 1, 1, tzinfo=UTC)


def read(_database_id: str, sql: str) -> ReadSql | None:
    return ReadSql(sql, sql.lower()) if sql.lower().startswith("select") else None


def rating(sql: str, user: str | None = "ana", good: bool = False, number: int = 1, question: str = "How many?"):
    return Rating("shop", question, sql, user, good, f"{number:03d}", START + timedelta(minutes=number))


def found(*ratings: Rating, generated: str | None = None) -> list[tuple[list[str], list[str]]]:
    examples = pa.Table.from_pylist(
        [
            {
                "example_id": "e1",
                "database_id": "shop",
                "canonical_question": "how many",
                "canonical_sql": "select 1",
                "generated_sql": generated,
                "wrong_sql": ["select 9"],
            }
        ],
        schema=pa.schema(
            [
                pa.field(name, pa.string())
                for name in ("example_id", "database_id", "canonical_question", "canonical_sql", "generated_sql")
            ]
            + [pa.field("wrong_sql", pa.list_(pa.string()))]
        ),
    )
    table = rated_down(examples, ratings, read)
    assert table.schema == RATED_ANSWERS
    return [(row["rated_down"], row["rated_in"]) for row in table.to_pylist()]


def test_an_answer_rated_down_beside_a_verified_one_counts():
    assert found(rating("SELECT 2", number=7)) == [(["SELECT 2"], ["007"])]


def test_the_verified_answer_is_never_unwanted():
    assert found(rating("Select 1")) == []


def test_the_mistake_known_already_is_not_told_twice():
    assert found(rating("SELECT 2"), generated="select 2") == []
    assert found(rating("SELECT 9")) == []


def test_users_who_disagree_cancel_each_other():
    assert found(rating("SELECT 2", "ana"), rating("SELECT 2", "bob", good=True)) == []


def test_one_user_has_one_voice_and_the_last_word_of_theirs_counts():
    ratings = [rating("SELECT 2", "ana", good=False, number=n) for n in range(1, 9)]
    ratings += [rating("SELECT 2", "bob", good=True, number=10), rating("SELECT 3", "ana", number=11)]
    ratings += [rating("SELECT 3", "ana", good=True, number=12)]

    assert found(*ratings) == []


def test_what_is_no_query_is_left_out():
    assert found(rating("I do not know"), rating("DROP TABLE singer")) == []


def test_other_questions_say_nothing_here():
    assert found(rating("SELECT 2", question="How few?")) == []


def test_case_and_closing_signs_of_the_question_do_not_matter():
    assert found(rating("SELECT 2", question="how  MANY")) == [(["SELECT 2"], ["001"])]


def test_the_order_of_ratings_changes_nothing():
    ratings = [rating("SELECT 2", "ana", number=1), rating("select 2", "bob", number=2), rating("SELECT 5", number=3)]

    assert found(*ratings) == found(*reversed(ratings)) == [(["SELECT 2", "SELECT 5"], ["001", "002", "003"])]


def test_one_user_adds_few_answers_to_a_question():
    ratings = [rating(f"SELECT {number}", number=number) for number in range(100, 140)]

    [(answers, _)] = found(*ratings, rating("SELECT 7", "bob", number=1), rating("SELECT 7", "eve", number=2))

    assert len(answers) == MOST_RATED_DOWN
    assert "SELECT 7" in answers
