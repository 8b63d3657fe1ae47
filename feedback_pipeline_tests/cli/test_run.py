import shutil
from pathlib import Path

from feedback_pipeline.intake.samples import QUESTION
from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.defs.pipeline import Pipeline, correction


def errors(stderr: str) -> list[str]:
    assert "Traceback" not in stderr
    return [line for line in stderr.splitlines() if line.startswith("error")]


def test_the_sample_shows_what_was_learned(pipeline: Pipeline, sample_root: Path, run: Run) -> None:
    shutil.copytree(sample_root / "cache", pipeline.root / "cache")  # saves the time of embedding again

    result = run("run", "--sample")

    assert result.exit_code == 0, result.output
    assert "sample: 404 corrections stored, 0 known already; 396 verified by sample-reviewer" in result.stderr
    assert "✓ example_index" in result.stderr
    for number in ("404", "396", "391", "360", "4 names_resolve, 2 parses, 2 read_only", "29 duplicate, 2 conflict"):
        assert number in result.stdout
    before, after = result.stdout.split(f"What an agent gets for “{QUESTION}”")[1].split("after", 1)
    assert before.split() == ["before", "no", "example"]
    assert "How many orders were shipped to Berlin?" in after
    assert "SELECT COUNT(*)" in after


def test_the_sample_again_changes_nothing(samples: Pipeline, run: Run) -> None:
    events = samples.event_count()

    result = run("run", "--sample")

    assert "sample: 0 corrections stored, 404 known already; 0 verified" in result.stderr
    assert "Nothing has changed: same content, same digests, no new version." in result.stdout
    assert samples.event_count() == events


def test_the_document_for_scripts(pipeline: Pipeline, run_json: RunJson) -> None:
    pipeline.decide(pipeline.submit(correction(1)), "verified")

    document = run_json("run")

    assert (document["job"], document["changed"], len(document["run_ids"])) == ("nightly_aggregation", True, 1)
    assert {stage["stage"]: stage["rows"] for stage in document["stages"]} == {
        "raw_feedback": 1,
        "checked_feedback": 1,
        "verified_feedback": 1,
        "deduped_feedback": 1,
        "embedded_feedback": 1,
        "example_index": 1,
        "finetune_dataset": 1,
    }
    assert (document["index"]["rows"], document["releases"][0]["name"]) == (1, "text2sql")
    assert set(document["seconds"]) >= {"embedded_feedback", "example_index"}


def test_nothing_to_run_on_is_no_error(pipeline: Pipeline, run: Run) -> None:
    result = run("run")

    assert result.exit_code == 0, result.output
    assert "index    live version 1, 0 examples" in result.stdout
    assert pipeline.feedback.releases.names() == []


def test_a_failed_run_is_one_line_and_exit_code_1(pipeline: Pipeline, run: Run) -> None:
    ids = pipeline.submit(correction(1))
    pipeline.decide(ids, "verified")
    pipeline.force_status(ids[0], "rejected")

    result = run("run")

    [said] = errors(result.stderr)
    assert result.exit_code == 1
    assert f"check no_unverified_row of verified_feedback: 1 rows are not verified: ['{ids[0]}']" in said
    assert "What was live before is still live" in said
    assert pipeline.feedback.index.live() is None


def test_an_unknown_job_is_one_line_and_exit_code_1(pipeline: Pipeline, run: Run) -> None:
    result = run("run", "--job", "nope")

    assert result.exit_code == 1
    assert errors(result.stderr) == [
        "error: no job 'nope'; jobs: erasure, nightly_aggregation, promote_verified, push_to_hub, retrain_reranker"
    ]
    assert pipeline.event_count() == 0


def test_the_sample_does_not_mix_with_other_feedback(pipeline: Pipeline, run: Run) -> None:
    pipeline.submit(correction(1))

    result = run("run", "--sample")

    assert result.exit_code == 1
    [said] = errors(result.stderr)
    assert "already holds 1 corrections that are no sample" in said
    assert len(pipeline.ids()) == 1
