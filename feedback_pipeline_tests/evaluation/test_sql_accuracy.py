"""Execution accuracy: SQL runs on a real database, and every answer is accounted for."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from feedback_pipeline.checking import limits_of
from feedback_pipeline.evaluation.databases import DatabaseFolderError, databases_in
from feedback_pipeline.evaluation.generators import Generated, NearestGenerator, Task
from feedback_pipeline.evaluation.product import RetrieverRanker
from feedback_pipeline.evaluation.questions import EvaluationSet, Question, read_questions
from feedback_pipeline.evaluation.sql_accuracy import Conditions, SqlAccuracy, measure_sql
from feedback_pipeline.evaluation.workspace import Workspace
from feedback_pipeline.retrieval import Example
from feedback_pipeline.settings import Settings
from feedback_pipeline_tests.evaluation.conftest import Write, count, split_rows

Answers = Mapping[str, str | None]


class Scripted:
    """Answers with what it is told, by question; with examples perhaps otherwise."""

    name = "scripted"
    needs_examples = False

    def __init__(self, answers: Answers, with_examples: Answers | None = None):
        self._without, self._with = answers, {**answers, **(with_examples or {})}
        self.tasks: list[Task] = []

    def answer(self, task: Task) -> Generated:
        self.tasks.append(task)
        sql = (self._with if task.examples else self._without)[task.question]
        return Generated(sql) if sql else Generated(failure="timed out")


EXAMPLE = Example("1", "f", ("f",), "rivers", "how?", "SELECT 1", None, 0.9, 1, "import")
GOLD = {
    "how many": "SELECT count(*) FROM river WHERE state = 'utah'",
    "which": "SELECT name FROM river WHERE state = 'ohio'",
    "in order": "SELECT name FROM river WHERE state = 'ohio' ORDER BY length",
}


def asked(gold: dict[str, str] = GOLD, database_id: str = "rivers") -> EvaluationSet:
    questions = tuple(Question(database_id, words, sql, words) for words, sql in gold.items())
    return EvaluationSet("rivers", questions, questions, "by hand")


def measured(questions: EvaluationSet, generator: Scripted, folder: Path, timeout_s: float = 5.0) -> SqlAccuracy:
    ids = {one.database_id for one in questions.asked}
    conditions = Conditions(
        databases_in(folder, ids), limits_of(Settings(execution_timeout_s=timeout_s)), "sqlite", concurrency=1
    )
    return measure_sql(questions, generator, lambda *_: [EXAMPLE], conditions)


def reasons(result: SqlAccuracy, arm: int = 0) -> list[str]:
    return [one.reason for one in result.arms[arm].outcomes]


def test_the_rows_decide_and_not_the_words(databases: Path) -> None:
    answers = {
        "how many": "SELECT sum(1) FROM river WHERE state = 'utah'",
        "which": "SELECT name FROM river WHERE state = 'ohio' ORDER BY length DESC",
        "in order": "SELECT name FROM river WHERE state = 'ohio' ORDER BY length DESC",
    }

    result = measured(asked(), Scripted(answers), databases)

    assert reasons(result) == ["same rows", "same rows", "other rows"]
    assert result.arms[0].accuracy.hits == 2


def test_with_and_without_examples_the_same_questions_are_compared(databases: Path) -> None:
    wrong = dict.fromkeys(GOLD, "SELECT 'nothing'")
    generator = Scripted(wrong, {"how many": GOLD["how many"], "which": GOLD["which"]})

    result = measured(asked(), generator, databases)

    gain = result.gain
    assert gain is not None
    assert [arm.accuracy.hits for arm in result.arms] == [2, 0]
    assert (gain.only_new, gain.only_old, gain.neither) == (2, 0, 1)
    assert "CREATE TABLE river (name TEXT, state TEXT, length INTEGER);" in generator.tasks[0].schema


def test_failures_count_as_not_right_and_are_named(databases: Path) -> None:
    answers = {"how many": None, "which": "SELECT nothing FROM nowhere", "in order": "DELETE FROM river"}

    result = measured(asked(), Scripted(answers), databases)

    assert reasons(result) == ["no answer: timed out", "SQL ends as error", "SQL ends as refused"]
    assert result.as_dict()["arms"][0]["not_right"] == {
        "SQL ends as error": 1,
        "SQL ends as refused": 1,
        "no answer: timed out": 1,
    }
    with sqlite3.connect(databases / "rivers.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM river").fetchone()[0] > 0


def test_generated_sql_that_does_not_end_is_wrong(databases: Path) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"

    result = measured(asked({"how many": GOLD["how many"]}), Scripted({"how many": endless}), databases, timeout_s=0.3)

    assert reasons(result) == ["SQL ends as timed_out"]


def test_questions_whose_gold_cannot_be_compared_are_left_out_by_the_gold_alone(databases: Path) -> None:
    with sqlite3.connect(databases / "rivers.sqlite") as connection:
        connection.execute("CREATE TABLE empty (name TEXT)")
    gold = {"broken": "SELECT no FROM river", "empty": "SELECT name FROM empty", "good": GOLD["which"]}

    result = measured(asked(gold), Scripted(gold), databases)

    assert result.as_dict()["compared"] == 1
    assert result.left_out == {
        "the gold SQL ends as error": 1,
        "every table that the corrected SQL reads is empty, so nothing can be compared": 1,
    }


def test_a_database_that_is_not_there_leaves_its_questions_out(databases: Path) -> None:
    questions = asked()
    more = asked(GOLD, "elsewhere").asked
    both = EvaluationSet("x", questions.indexed, (*questions.asked, *more), "by hand")

    result = measured(both, Scripted(GOLD), databases)

    assert result.as_dict()["compared"] == 3
    assert sum(result.left_out.values()) == 3
    assert "has no URL to run on" in next(iter(result.left_out))


def test_the_nearest_example_answers_alone_and_is_wrong_about_other_values(
    write: Write, place: Workspace, databases: Path
) -> None:
    rows = [*split_rows(), {**count("ohio"), "natural_query": "number of rivers in ohio", "split": "test"}]
    questions = read_questions(write(rows), dialect="sqlite")
    ranker = RetrieverRanker(place, "sqlite")
    ranker.index(questions.indexed)
    conditions = Conditions(databases_in(databases, {"rivers"}), limits_of(Settings()), "sqlite")

    result = measure_sql(questions, NearestGenerator(), ranker.examples, conditions)

    assert [arm.name for arm in result.arms] == ["with examples"]
    assert result.gain is None
    assert result.arms[0].outcomes[-1].right is True
    assert result.as_dict()["compared"] == 5


@pytest.mark.parametrize("layout", ["rivers.sqlite", "rivers/rivers.sqlite", "rivers.db"])
def test_databases_are_found_in_the_usual_places(databases: Path, tmp_path: Path, layout: str) -> None:
    place = tmp_path / "other" / layout
    place.parent.mkdir(parents=True)
    place.write_bytes((databases / "rivers.sqlite").read_bytes())

    found = databases_in(tmp_path / "other", {"rivers", "missing"})

    assert {name: one.target.url for name, one in found.items()} == {"rivers": str(place)}


def test_an_id_never_leads_out_of_the_folder(databases: Path) -> None:
    (databases / "inner").mkdir()

    with pytest.raises(DatabaseFolderError, match="holds none of the databases"):
        databases_in(databases / "inner", {"../rivers"})


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseFolderError, match="is no folder"):
        databases_in(tmp_path / "nowhere", {"rivers"})
