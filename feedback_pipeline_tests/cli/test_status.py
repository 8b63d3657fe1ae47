from feedback_pipeline_tests.cli.conftest import Run, RunJson
from feedback_pipeline_tests.defs.pipeline import Pipeline


def test_an_empty_root_has_nothing_and_says_so(run: Run, run_json: RunJson) -> None:
    document = run_json("status")

    assert set(document) == {"feedback", "stages", "index", "releases"}
    assert (sum(document["feedback"].values()), document["index"], document["releases"]) == (0, None, [])
    assert "nothing published" in run("status").stdout


def test_feedback_index_and_releases(samples: Pipeline, run: Run, run_json: RunJson) -> None:
    document = run_json("status")

    assert {status: count for status, count in document["feedback"].items() if count} == {
        "pending": 8,
        "verified": 7,
        "applied": 389,
    }
    assert (document["index"]["version"], document["index"]["rows"]) == (1, 360)
    [ratings, corrections] = document["releases"]
    assert ratings["name"] == "reranker"
    assert corrections == {
        field: getattr(samples.latest(), field) for field in ("name", "version", "path", "digest", "rows")
    }
    shown = run("status").stdout
    assert "live version 1, 360 examples" in shown
    assert "text2sql v1, 360 rows" in shown
