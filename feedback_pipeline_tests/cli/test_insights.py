from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.defs.pipeline import Pipeline


def test_an_empty_store_has_no_shares(run: Run, run_json: RunJson) -> None:
    document = run_json("insights", "--days", 7)

    assert (len(document["statuses"]["days"]), document["examples"]["share"]) == (7, None)
    assert "no query looked for one" in run("insights").stdout


def test_the_sample_run_is_told(samples: Pipeline, run: Run, run_json: RunJson) -> None:
    document = run_json("insights", "--database-id", "shop")

    assert document["statuses"]["now"]["applied"] == 389
    assert document["times"]["to_applied"]["n"] == 389
    assert run_json("insights", "--database-id", "elsewhere")["statuses"]["now"]["applied"] == 0
    shown = run("insights").stdout
    assert "sample-reviewer" in shown
    assert "389" in shown


def test_a_window_that_cannot_be_is_refused(run: Run) -> None:
    assert run("insights", "--days", 731).exit_code == 2
