import shutil
from dataclasses import asdict

from sqlalchemy import select

from feedback_pipeline.store import list_feedback, opt_out
from feedback_pipeline.store.models import FeedbackRow
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
    assert second.rows == first.rows - 1

    samples.decide([samples.ids()["c002"]], "rejected")
    rolled_back = run("index", "rollback", 1)
    assert "withdrew it or opted out: 1 examples" in rolled_back.stdout
    assert f"index version 3 is live: {second.rows} examples" in rolled_back.stdout
    assert "1 feedback(s) in it are not verified any more" in rolled_back.stderr
    assert samples.live().version == 3
    nothing_taken = {"no_longer_vouched_for": 1, "examples_taken_out": 0}
    assert run_json("index", "rollback", 2) == {"live": asdict(second), **nothing_taken}
    assert "live" in run("index", "list").stdout


def test_a_rollback_does_not_bring_back_who_has_opted_out(samples: Pipeline, run: Run, run_json: RunJson) -> None:
    [row] = [row for row in list_feedback(samples.store) if row["client_key"] == "c001"]
    shown = [example.feedback_ids for example in samples.similar(row["natural_query"], row["database_id"])]
    assert any(row["feedback_id"] in ids for ids in shown)
    with samples.store.read() as session:
        user_hash = session.scalar(select(FeedbackRow.user_hash).where(FeedbackRow.client_key == "c001"))
    assert user_hash is not None
    opt_out(samples.store, user_hash)

    document = run_json("index", "rollback", 1)

    assert document["examples_taken_out"] > 0
    assert document["no_longer_vouched_for"] == 0
    shown = [example.feedback_ids for example in samples.similar(row["natural_query"], row["database_id"])]
    assert not any(row["feedback_id"] in ids for ids in shown)


def test_opting_out_an_unknown_user_says_so(run: Run, run_json: RunJson) -> None:
    assert "nothing is known of this user (yet)" in run("opt-out", "--user-id", "nobody").stdout
    assert run_json("opt-out", "--user-id", "nobody")["nothing_known"] is True


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
