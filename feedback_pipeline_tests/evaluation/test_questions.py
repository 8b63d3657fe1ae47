"""Evaluation files: what is read, and who is indexed and who is asked."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_pipeline.evaluation.questions import EvaluationDataError, EvaluationSet, Split, read_questions
from feedback_pipeline.intake.mapping import MappingError
from feedback_pipeline_tests.evaluation.conftest import Write, count, longest, split_rows


def read(path: Path, **options) -> EvaluationSet:
    return read_questions(path, dialect="sqlite", **options)


def test_rows_of_split_train_are_indexed_and_those_of_test_are_asked(write: Write) -> None:
    path = write([*split_rows(), {**count("nevada"), "split": "dev"}])

    found = read(path)

    assert (len(found.indexed), len(found.asked)) == (6, 4)
    assert found.asked[0].natural_query == "what is the longest river in iowa"
    assert not any("nevada" in one.natural_query for one in (*found.indexed, *found.asked))


def test_the_sql_skeleton_is_the_template_where_the_file_names_none(write: Write) -> None:
    found = read(write(split_rows()))

    templates = {one.template_id for one in (*found.indexed, *found.asked)}

    assert len(templates) == 2


def test_only_questions_of_an_indexed_template_in_their_own_database_are_answerable(write: Write) -> None:
    rows = [
        {"natural_query": "a", "sql": "SELECT 1", "template_id": "t", "database_id": "one", "split": "train"},
        {"natural_query": "b", "sql": "SELECT 1", "template_id": "t", "database_id": "one", "split": "test"},
        {"natural_query": "c", "sql": "SELECT 1", "template_id": "t", "database_id": "two", "split": "test"},
        {"natural_query": "d", "sql": "SELECT 1", "template_id": "u", "database_id": "one", "split": "test"},
    ]

    found = read(write(rows))

    assert [one.natural_query for one in found.answerable.asked] == ["b"]


def test_paraphrases_are_asked_while_their_questions_are_indexed(write: Write) -> None:
    rows = [{"question": "how many", "synonym_query": "the number of", "query": "SELECT 1", "db_id": "geo"}]

    found = read(write(rows))

    assert [one.natural_query for one in found.indexed] == ["how many"]
    assert [one.natural_query for one in found.asked] == ["the number of"]
    assert {one.database_id for one in found.indexed} == {"geo"}


def test_the_first_of_each_template_is_indexed_if_wanted(write: Write) -> None:
    rows = [{**make(state), "template_id": make.__name__} for state in ("ohio", "utah") for make in (count, longest)]

    found = read(write(rows), split=Split.FIRST)

    assert [one.natural_query[-4:] for one in found.indexed] == ["ohio", "ohio"]
    assert [one.natural_query[-4:] for one in found.asked] == ["utah", "utah"]


def test_without_a_split_a_hash_of_the_words_decides_whatever_the_order(write: Write) -> None:
    rows = [count(f"state {number}") for number in range(200)]

    one, other = read(write(rows)), read(write([*reversed(rows), count("STATE 7 ")]))

    asked = {question.natural_query for question in one.asked}
    assert 20 < len(asked) < 60
    assert asked <= {question.natural_query for question in other.asked}
    seven = "how many rivers are there in state 7"
    assert (seven in asked) == any("STATE 7" in question.natural_query for question in other.asked)


def test_other_columns_are_mapped_as_in_an_import(write: Write) -> None:
    rows = [{**row, "part": row.pop("split"), "said": row.pop("natural_query")} for row in split_rows()]

    found = read(write(rows), mapping={"split": "part", "natural_query": "said"})

    assert (len(found.indexed), len(found.asked)) == (6, 4)


def test_csv_and_parquet_give_what_json_lines_give(write: Write, tmp_path: Path) -> None:
    rows = [{name: text for name, text in row.items() if name != "variables"} for row in split_rows()]
    with (tmp_path / "rivers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rivers.parquet")

    expected = read(write(rows))

    assert read(tmp_path / "rivers.csv") == expected
    assert read(tmp_path / "rivers.parquet") == expected


def test_rows_without_question_or_sql_are_counted_not_guessed(write: Write) -> None:
    path = write([*split_rows(), {"natural_query": "no sql", "split": "test"}, {"sql": "SELECT 1", "split": "test"}])
    path.write_text(path.read_text() + "no json\n")

    found = read(path)

    assert (len(found.asked), found.unusable) == (4, 3)


def test_sql_that_cannot_be_read_is_a_template_of_its_own(write: Write) -> None:
    rows = [{**row, "sql": row["sql"].replace("SELECT", "SELEKT")} for row in split_rows()]

    found = read(write(rows))

    assert len({one.template_id for one in found.indexed}) == 6
    assert found.answerable.asked == ()


def test_a_file_without_usable_rows_names_its_columns_and_the_way_out(write: Write) -> None:
    with pytest.raises(EvaluationDataError, match=r"--map THEIRS=OURS \(columns not used: frage\)"):
        read(write([{"frage": "?"}]))


@pytest.mark.parametrize(("splits", "named"), [(("0", "1"), "0, 1"), (("train", "train"), "train")])
def test_a_split_without_train_and_test_is_refused(write: Write, splits: tuple[str, str], named: str) -> None:
    rows = [{**count(state), "split": split} for state, split in zip(("ohio", "utah"), splits, strict=True)]

    with pytest.raises(EvaluationDataError, match=f"holds {named}; .*--split hash"):
        read(write(rows))


def test_a_mapping_to_an_unknown_field_is_refused(write: Write) -> None:
    with pytest.raises(MappingError, match="template_id"):
        read(write(split_rows()), mapping={"template": "x"})


def test_a_limit_asks_the_same_questions_again_in_the_order_of_the_file(write: Write) -> None:
    rows = [{**count(f"state {number}"), "split": "test" if number % 2 else "train"} for number in range(40)]
    found = read(write(rows))

    some, fewer = found.limited(10), found.limited(4)

    assert len(some.asked) == 10
    assert set(fewer.asked) < set(some.asked)
    assert list(some.asked) == [one for one in found.asked if one in set(some.asked)]
    assert found.limited(None) is found.limited(1_000) is found
