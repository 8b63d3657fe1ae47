from pathlib import Path

from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.defs.pipeline import Pipeline


def test_versions_are_listed(samples: Pipeline, run: Run, run_json: RunJson) -> None:
    [ratings, listed] = run_json("dataset", "list")["datasets"]

    assert (ratings["name"], ratings["version"]) == ("reranker", 1)
    assert listed == {
        "name": "text2sql",
        "version": 1,
        "path": samples.latest().path,
        "digest": samples.latest().digest,
        "rows": samples.latest().rows,
        "revoked": None,
    }
    assert "text2sql@v1" in run("dataset", "list").stdout


def test_one_version_is_shown_with_its_manifest(samples: Pipeline, run: Run, run_json: RunJson) -> None:
    shown = run_json("dataset", "show", "text2sql")

    assert shown == {"path": samples.latest().path, "manifest": samples.latest().manifest}
    assert run_json("dataset", "show", "text2sql@v1") == run_json("dataset", "show", "text2sql@latest") == shown
    text = run("dataset", "show", "text2sql@1").stdout
    assert f'datasets.load_dataset("{samples.latest().path}")' in text
    assert "min_rating 4" in text


def test_nothing_released_yet_is_no_error(run: Run, run_json: RunJson) -> None:
    assert run_json("dataset", "list") == {"datasets": []}
    assert "no dataset has been released yet" in run("dataset", "list").stdout


def test_what_there_is_not_is_explained(samples: Pipeline, run: Run, run_json: RunJson) -> None:
    unknown = run("dataset", "show", "text2sql@v7")
    assert (unknown.exit_code, unknown.stderr) == (1, "error: dataset text2sql has no version 7; it has v1\n")
    assert "released datasets: reranker, text2sql" in run("dataset", "show", "nope").stderr
    assert run_json("dataset", "show", "nope")["error"]["type"] == "UnknownReleaseError"

    (Path(samples.latest().path) / "manifest.json").write_text("{")
    damaged = run("dataset", "list")
    assert damaged.exit_code == 1
    assert "manifest.json is damaged" in damaged.stderr
