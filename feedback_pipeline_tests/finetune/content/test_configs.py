"""What each config shows of the same rows."""

from typing import Any

import pyarrow as pa
import pytest

from feedback_pipeline.finetune.content.configs import CONFIGS, PROVENANCE, Config
from feedback_pipeline.finetune.content.prompts import DatabaseFacts, Prompts, TemplateError, read_templates
from feedback_pipeline.finetune.content.rows import DATASET_ROWS, dataset_rows
from feedback_pipeline.finetune.content.schema_text import SchemaText
from feedback_pipeline.schemas import DEDUPED_FEEDBACK
from feedback_pipeline_tests.finetune.samples import examples

SCHEMA = {"singer": {"singer_id": "INTEGER", "name": "TEXT"}, "concert": {"year": "INTEGER"}}
PROMPTS = Prompts(read_templates(), {"shop": DatabaseFacts("sqlite", SchemaText(SCHEMA, 1_000))})


def config(name: str) -> Config:
    return next(one for one in CONFIGS if one.name == name)


def rows(*changes: dict[str, Any]) -> pa.Table:
    plain = examples(len(changes)).to_pylist()
    given = pa.Table.from_pylist(
        [{**row, **{k: v for k, v in more.items() if k in row}} for row, more in zip(plain, changes, strict=True)],
        DEDUPED_FEEDBACK,
    )
    for name in ("rated_down", "rated_in"):
        given = given.append_column(name, pa.array([more.get(name, []) for more in changes], pa.list_(pa.string())))
    return dataset_rows(given)


def rendered(name: str, *changes: dict[str, Any]) -> list[dict[str, Any]]:
    return config(name).render(rows(*changes), PROMPTS).to_pylist()


SEEN = "results differ: 1 row and 2 rows"
WRONG = {"generated_sql": "SELECT 7", "results_differ": True, "wrong_sql": ["SELECT 7"], "wrong_differences": [SEEN]}


@pytest.mark.parametrize("name", [one.name for one in CONFIGS])
def test_every_config_tells_where_its_rows_come_from(name: str):
    table = config(name).render(rows(WRONG, {}), PROMPTS)

    assert table.schema == config(name).schema
    assert set(PROVENANCE.names) <= set(table.column_names)
    assert all(row["feedback_ids"] for row in table.to_pylist())


def test_the_default_config_is_the_rows_themselves():
    given = rows({})

    table = config("default").render(given, PROMPTS)

    assert table.select(DATASET_ROWS.names) == given
    assert table["difficulty"].to_pylist() == ["easy"]


def test_sft_is_a_chat_that_shows_the_schema_and_ends_with_the_verified_sql():
    (row,) = rendered("sft", {"natural_query": "How many?", "sql": "SELECT COUNT(*) FROM singer"})

    system, user, assistant = row["messages"]
    assert [one["role"] for one in row["messages"]] == ["system", "user", "assistant"]
    assert "singer(singer_id INTEGER, name TEXT)" in system["content"]
    assert "sqlite" in system["content"]
    assert (user["content"], assistant["content"]) == ("How many?", "SELECT COUNT(*) FROM singer")


def test_prompt_completion_is_plain_text():
    (row,) = rendered("prompt_completion", {"natural_query": "How many?"})

    assert "How many?" in row["prompt"]
    assert row["completion"] == "\nSELECT 0"


@pytest.mark.parametrize("name", ["preference", "repair"])
def test_only_what_was_seen_to_differ_is_a_pair(name: str):
    assert rendered(name, {"generated_sql": "SELECT 7", "results_differ": None}) == []


def test_every_wrong_answer_that_was_seen_to_differ_is_a_pair():
    shown = rendered("preference", {**WRONG, "wrong_sql": ["SELECT 7", "SELECT 8"], "wrong_differences": [SEEN, SEEN]})

    assert [row["rejected"][0]["content"] for row in shown] == ["SELECT 7", "SELECT 8"]
    assert len({row["row_id"] for row in shown}) == 1


def test_a_preference_rejects_the_wrong_sql():
    (row,) = rendered("preference", WRONG)

    assert row["chosen"] == [{"role": "assistant", "content": "SELECT 0"}]
    assert row["rejected"] == [{"role": "assistant", "content": "SELECT 7"}]
    assert [one["role"] for one in row["prompt"]] == ["system", "user"]


def test_a_repair_shows_the_wrong_sql_and_what_was_seen():
    (row,) = rendered("repair", WRONG)

    asked = row["prompt"][1]["content"]
    assert all(part in asked for part in ("question 0", "SELECT 7", "results differ: 1 row and 2 rows"))
    assert row["completion"] == [{"role": "assistant", "content": "SELECT 0"}]


def test_kto_labels_the_verified_answer_and_those_known_to_be_unwanted():
    shown = rendered("kto", {**WRONG, "rated_down": ["SELECT 8"], "rated_in": ["17"]}, {"generated_sql": "SELECT 9"})

    answers = [(row["row_id"][-1], row["completion"][0]["content"], row["label"]) for row in shown]
    assert answers == [
        ("0", "SELECT 0", True),
        ("0", "SELECT 7", False),
        ("0", "SELECT 8", False),
        ("1", "SELECT 1", True),
    ]
    assert shown[2]["rated_in"] == ["17"]


def test_a_dollar_in_a_question_is_no_field():
    (row,) = rendered("sft", {"natural_query": "What costs $question or $$5?"})

    assert row["messages"][1]["content"] == "What costs $question or $$5?"


def test_an_unknown_database_is_said_to_be_unknown():
    table = config("sft").render(rows({"database_id": "elsewhere"}), PROMPTS)

    assert "(not known)" in table.to_pylist()[0]["messages"][0]["content"]


def test_a_long_schema_is_pruned_to_the_tables_the_question_is_about():
    schema = {f"table_{number}": {"id": "INTEGER", "note": "TEXT"} for number in range(40)}
    schema |= {"invoices": {"total": "REAL"}, "OrderItems": {"amount": "INTEGER"}}
    text = SchemaText(schema, 200)

    shown = text.for_question("What is the total of all invoices and order items?")

    assert len(shown) <= 200
    assert "invoices(total REAL)" in shown
    assert "OrderItems(amount INTEGER)" in shown


def test_a_table_too_long_for_the_prompt_is_shown_with_some_of_its_columns():
    schema = {"orders": {f"column_{number}": "INTEGER" for number in range(500)}, "zz": {"a": "int"}}

    shown = SchemaText(schema, 300).for_question("How many orders are there?")

    assert shown.startswith("orders(column_0 INTEGER, ")
    assert len(shown) <= 300


def test_the_answer_plays_no_part_in_what_is_shown_of_a_schema():
    schema = {f"table_{number}": {"id": "INTEGER"} for number in range(100)}
    prompts = Prompts(read_templates(), {"shop": DatabaseFacts("sqlite", SchemaText(schema, 100))})

    shown = [
        prompts.fill("system", rows({"natural_query": "How many?", "sql": sql})).to_pylist()[0]
        for sql in ("SELECT * FROM table_7", "SELECT * FROM table_93")
    ]

    assert shown[0] == shown[1]


def test_prompts_come_back_from_their_document():
    again = Prompts.from_document(PROMPTS.document())

    assert again.sha256 == PROMPTS.sha256
    assert again.fill("prompt", rows({})) == PROMPTS.fill("prompt", rows({}))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("user.txt", "$answer", r"user.txt uses \$answer; it may use \$database_id"),
        ("user.txt", "5 $ only", "names no field"),
        ("user.txt", None, "cannot be read"),
        ("version.json", "[]", "version.json must hold"),
    ],
)
def test_a_template_that_cannot_work_is_named(tmp_path, name: str, text: str | None, message: str):
    for template in ("system", "user", "prompt", "repair"):
        (tmp_path / f"{template}.txt").write_text("$database_id")
    (tmp_path / "version.json").write_text('{"version": "mine"}')
    assert read_templates(tmp_path).version == "mine"
    (tmp_path / name).unlink() if text is None else (tmp_path / name).write_text(text)

    with pytest.raises(TemplateError, match=message):
        read_templates(tmp_path)
