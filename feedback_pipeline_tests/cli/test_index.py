import shutil
from dataclasses import asdict

from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.defs.pipeline import Pipeline


def test_publications_are_listed_and_rolled_back(samples: Pipeline, run: Run, run_json: RunJson) -> None:
    first = samples.live()
    samples.decide([samples.ids()["c001"]], "withdrawn")
    samples.run()
    second = samples.live()

    listed = run_json("index", "list")
    assert listed == {
        "publications": [{**asdict(first), "live": False}, {**asdict(second), "live": True}],
        "live": 2,
        "revoked": [],
    }
    assert (first.rows, second.rows) == (360, 359)

    rolled_back = run("index", "rollback", 1)
    assert "index version 1 is live: 360 examples" in rolled_back.stdout
    assert "1 feedback(s) in it are withdrawn, rejected or pending by now" in rolled_back.stderr
    assert samples.live() == first
    assert run_json("index", "rollback", 2) == {"live": asdict(second), "no_longer_vouched_for": 0}
    assert "live" in run("index", "list").stdout


def test_a_version_there_is_not_leaves_live_alone(samples: Pipeline, run: Run) -> None:
    result = run("index", "rollback", 9)

    assert (result.exit_code, result.stderr) == (1, "error: no index version 9; published versions: 1\n")
    assert samples.live().version == 1


def test_nothing_published_yet_is_no_error(run: Run, run_json: RunJson) -> None:
    assert run_json("index", "list") == {"publications": [], "live": None, "revoked": []}
    assert "nothing has been published yet" in run("index", "list").stdout


def test_a_damaged_index_is_one_line(samples: Pipeline, run: Run) -> None:
    shutil.rmtree(samples.root / "index" / "publications")

    result = run("index", "list")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "missing or damaged" in result.stderr
