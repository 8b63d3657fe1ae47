import pytest

from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.defs.pipeline import Pipeline

FIELDS = {
    "example_id",
    "feedback_id",
    "feedback_ids",
    "database_id",
    "natural_query",
    "sql",
    "generated_sql",
    "score",
    "rank",
    "source",
}
BERLIN = "How many orders went to Berlin in total?"


def test_the_document_for_scripts(samples: Pipeline, run_json: RunJson) -> None:
    document = run_json("retrieve", BERLIN, "--database-id", "shop", "--k", 2)

    assert set(document) == {"examples", "index_version"}
    assert document["index_version"] == samples.live().version
    assert [set(example) for example in document["examples"]] == [FIELDS, FIELDS]
    assert [example["rank"] for example in document["examples"]] == [1, 2]
    assert document["examples"][0]["score"] >= document["examples"][1]["score"] > 0.5
    assert document["examples"][0]["feedback_id"] in samples.ids().values()


@pytest.mark.usefixtures("samples")
def test_people_get_a_table(run: Run) -> None:
    shown = run("retrieve", BERLIN, "--database-id", "shop").stdout

    assert "How many orders were shipped to Berlin?" in shown
    assert "SELECT COUNT(*)" in shown


@pytest.mark.usefixtures("samples")
def test_an_unknown_database_has_no_examples(run: Run, run_json: RunJson) -> None:
    assert run_json("retrieve", BERLIN, "--database-id", "nowhere") == {"examples": [], "index_version": 1}
    result = run("retrieve", BERLIN, "--database-id", "nowhere")
    assert (result.exit_code, result.stdout.strip()) == (0, "no examples for database nowhere")


def test_no_index_has_no_examples(run: Run, run_json: RunJson) -> None:
    assert run("retrieve", BERLIN, "--database-id", "shop").exit_code == 0
    assert run_json("retrieve", BERLIN, "--database-id", "shop") == {"examples": [], "index_version": None}


def test_fewer_than_one_example_is_a_usage_error(run: Run) -> None:
    assert run("retrieve", BERLIN, "--database-id", "shop", "--k", 0).exit_code == 2
    assert run("retrieve", BERLIN).exit_code == 2
