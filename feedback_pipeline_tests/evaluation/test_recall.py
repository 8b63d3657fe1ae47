"""Recall by protocol, with real vectors and the real index."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from feedback_pipeline.evaluation.product import RetrieverRanker
from feedback_pipeline.evaluation.questions import EvaluationSet, Question, read_questions
from feedback_pipeline.evaluation.rankers import masked, perfect_mask, plain
from feedback_pipeline.evaluation.recall import measure
from feedback_pipeline.evaluation.recall_plot import PlotFileError, plot, write_plot
from feedback_pipeline.evaluation.workspace import Workspace
from feedback_pipeline_tests.evaluation.conftest import Write, count, longest, split_rows


class Scripted:
    """Answers with the numbers it is told."""

    name = "scripted"

    def __init__(self, answers: dict[str, list[int]]):
        self.answers, self.asked = answers, []

    def index(self, questions: Sequence[Question]) -> None:
        self.indexed = list(questions)

    def ask(self, question: Question, k: int) -> list[int]:
        self.asked.append((question.natural_query, k))
        return self.answers[question.natural_query][:k]


def question(words: str, template: str, database: str = "geo") -> Question:
    return Question(database, words, "SELECT 1", template)


INDEXED = (question("a", "t"), question("b", "u"), question("c", "t"), question("d", "t", "other"))


def test_the_rank_of_the_first_example_of_the_template_counts() -> None:
    asked = (question("at 1", "t"), question("at 3", "u"), question("never", "t"), question("elsewhere", "t"))
    ranker = Scripted({"at 1": [0, 1, 2], "at 3": [0, 2, 1], "never": [1], "elsewhere": [3, 1]})

    table = measure(EvaluationSet("x", INDEXED, asked, "by hand"), [ranker], [3, 1])

    found = table.methods[0]
    assert found.ranks == (1, 3, None, None)
    assert (found.recall(1).hits, found.recall(3).hits, found.recall(3).n) == (1, 2, 4)
    assert ranker.asked[0] == ("at 1", 3)


def test_what_no_indexed_question_could_answer_is_not_asked() -> None:
    ranker = Scripted({})

    table = measure(EvaluationSet("x", INDEXED, (question("?", "v"),), "by hand"), [ranker], [1])

    assert ranker.asked == []
    assert table.as_dict()["not_answerable"] == 1
    assert table.as_dict()["methods"][0]["recall"]["1"]["value"] is None


def test_methods_are_compared_question_by_question() -> None:
    asked = (question("one", "t"), question("two", "t"))
    good, bad = Scripted({"one": [0], "two": [0]}), Scripted({"one": [0], "two": [1]})

    table = measure(EvaluationSet("x", INDEXED, asked, "by hand"), [bad, good], [1])

    difference = table.methods[1].better_than(table.methods[0], 1)
    assert (difference.both, difference.only_new, difference.only_old) == (1, 1, 0)


def test_values_are_replaced_by_their_names_longest_first_and_only_as_words() -> None:
    one = Question("d", "flights to New York or York, not Yorkshire", "", "", {"c0": "york", "c1": "new york"})

    assert masked(one) == "flights to c or c, not Yorkshire"


def test_perfect_masks_find_the_template_whatever_the_values(write: Write, place: Workspace) -> None:
    questions = read_questions(write(split_rows()), dialect="sqlite")

    table = measure(questions, [plain(place), perfect_mask(place)], [1])

    assert table.methods[1].recall(1).hits == 4
    assert all(seconds > 0 for seconds in table.methods[0].seconds)


def test_the_retriever_answers_from_an_index_of_its_own_and_never_from_another_database(
    write: Write, place: Workspace, exported_root: Path
) -> None:
    same = {**longest("iowa"), "database_id": "another", "split": "train"}
    questions = read_questions(write([*split_rows(), same]), dialect="sqlite")
    ranker = RetrieverRanker(place, "sqlite")

    table = measure(questions, [ranker], [1, 3])

    assert table.methods[0].recall(3).hits == 4
    found = {number for one in questions.answerable.asked for number in ranker.ask(one, 10)}
    assert found <= set(range(6))
    assert not (exported_root / "index").exists()


def test_the_same_file_gives_the_same_ranks_again(write: Write, place: Workspace) -> None:
    questions = read_questions(write(split_rows()), dialect="sqlite")

    one, other = (measure(questions, [plain(place)], [1, 3]).methods[0].ranks for _ in range(2))

    assert one == other


def test_the_plot_shows_every_set_and_method(tmp_path: Path) -> None:
    asked = (question("one", "t"),)
    tables = [
        measure(EvaluationSet(name, INDEXED, asked, "by hand"), [Scripted({"one": [1, 0]})], [1, 3])
        for name in ("<first>", "second")
    ]

    write_plot(tmp_path / "recall.svg", tables)

    root = ElementTree.fromstring((tmp_path / "recall.svg").read_text())
    said = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"scripted", "<first>: 1 questions asked", "second: 1 questions asked", "first", "first 3"} <= said
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 4
    assert plot(tables) == plot(tables)


@pytest.mark.parametrize(("name", "said"), [("recall.png", "ends in .svg"), ("no/recall.svg", "there is no folder")])
def test_a_plot_that_cannot_be_written_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(PlotFileError, match=said):
        write_plot(tmp_path / name, [])


def test_counting_and_longest_are_two_templates(write: Write) -> None:
    found = read_questions(
        write([{**make("ohio"), "split": part} for make in (count, longest) for part in ("train", "test")]),
        dialect="sqlite",
    )

    assert len({one.template_id for one in found.indexed}) == 2
