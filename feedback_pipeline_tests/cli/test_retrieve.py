import pytest

from feedback_pipeline.retrieval.token_estimate import estimated_tokens
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
    "masked_query",
    "adapted_sql",
    "substitutions",
}
BERLIN = "How many orders went to Berlin in total?"


def test_the_document_for_scripts(samples: Pipeline, run_json: RunJson) -> None:
    document = run_json("retrieve", BERLIN, "--database-id", "shop", "--k", 2)

    assert set(document) == {"examples", "prompt", "index_version"}
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
def test_the_text_for_a_prompt_keeps_to_its_budget(run: Run, run_json: RunJson) -> None:
    asked = ("retrieve", BERLIN, "--database-id", "shop")

    whole = run(*asked, "--prompt").stdout
    best = "".join(whole.splitlines(keepends=True)[:2])
    budget = estimated_tokens(best)
    short = run(*asked, "--max-tokens", budget).stdout

    assert whole.count("\n") == 4
    assert short == best
    assert run_json(*asked)["prompt"] == whole
    assert run_json(*asked, "--max-tokens", budget)["prompt"] == short
    assert run(*asked, "--max-tokens", 5).stdout.strip() == "no example fits into 5 tokens"
    assert run(*asked, "--max-tokens", 0).exit_code == 2


@pytest.mark.usefixtures("samples")
def test_an_unknown_database_has_no_examples(run: Run, run_json: RunJson) -> None:
    nothing = {"examples": [], "prompt": "", "index_version": 1}
    assert run_json("retrieve", BERLIN, "--database-id", "nowhere") == nothing
    result = run("retrieve", BERLIN, "--database-id", "nowhere")
    assert (result.exit_code, result.stdout.strip()) == (0, "no examples for database nowhere")


def test_no_index_has_no_examples(run: Run, run_json: RunJson) -> None:
    assert run("retrieve", BERLIN, "--database-id", "shop").exit_code == 0
    nothing = {"examples": [], "prompt": "", "index_version": None}
    assert run_json("retrieve", BERLIN, "--database-id", "shop") == nothing


def test_fewer_than_one_example_is_a_usage_error(run: Run) -> None:
    assert run("retrieve", BERLIN, "--database-id", "shop", "--k", 0).exit_code == 2
    assert run("retrieve", BERLIN).exit_code == 2
