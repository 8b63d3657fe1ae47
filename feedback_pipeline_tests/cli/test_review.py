from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.cli import review
from feedback_pipeline.store import Status
from feedback_pipeline_tests.cli.conftest import SAMPLES, Run, RunJson
from feedback_pipeline_tests.intake.files import row, write_lines


@pytest.fixture
def ids(run: Run, run_json: RunJson, shop: Path) -> dict[str, str]:
    """Ids of the sample corrections by their keys, none of them checked."""
    run("import", SAMPLES / "corrections.jsonl")
    found = run_json("review", "list", "--limit", 1_000)["feedback"]
    return {feedback["client_key"]: feedback["feedback_id"] for feedback in found}


def outcomes(document: Any) -> list[str]:
    return [decision["outcome"] for decision in document["decisions"]]


def test_the_queue(run: Run, run_json: RunJson, ids: dict[str, str]) -> None:
    listed = run_json("review", "list")["feedback"]
    assert len(listed) == 50
    assert tuple(listed[0]) == review.LISTED
    assert listed[0]["created_at"] == "2026-10-05T07:08:44+00:00"
    assert run_json("review", "list", "--status", "verified")["feedback"] == []
    assert len(run_json("review", "list", "--status", "any", "--limit", 3)["feedback"]) == 3
    assert run_json("review", "list", "--database-id", "other")["feedback"] == []
    assert ids["c001"] in run("review", "list").stdout
    assert run("review", "list", "--status", "done").exit_code == 2
    assert "no feedback is applied" in run("review", "list", "--status", "applied").stdout


def test_statuses_are_those_of_the_store() -> None:
    assert tuple(status.value for status in Status) == review.STATUSES


def test_verifying_checks_first(run: Run, run_json: RunJson, ids: dict[str, str]) -> None:
    result = run("review", "verify", ids["c001"], ids["c004"], "--as", "ada")
    assert result.exit_code == 1
    assert "names_resolve: Column 'age' could not be resolved" in result.stdout
    shown = run_json("review", "show", ids["c001"])
    assert shown["status"] == "verified"
    assert [(e["event"], e["actor"]) for e in shown["history"]][1:] == [("checked", None), ("verified", "ada")]
    assert shown["checks"]["passed"] is True
    assert outcomes(run_json("review", "verify", ids["c001"])) == ["unchanged"]


def test_failed_checks_are_overridden_with_a_reason(run: Run, run_json: RunJson, ids: dict[str, str]) -> None:
    assert run("review", "verify", ids["c004"], "--override").exit_code == 2
    assert outcomes(run_json("review", "verify", ids["c004"], "--override", "--reason", "age is new")) == ["done"]
    event = run_json("review", "show", ids["c004"])["history"][-1]
    assert (event["payload"], event["reason"]) == ({"override": True}, "age is new")


def test_decisions_follow_each_other(run: Run, run_json: RunJson, ids: dict[str, str]) -> None:
    one = ids["c002"]
    assert run("review", "reject", one).exit_code == 2
    assert outcomes(run_json("review", "reject", one, "--reason", "wrong")) == ["done"]
    assert outcomes(run_json("review", "supersede", one)) == ["refused"]
    assert run("review", "supersede", one).exit_code == 1
    assert outcomes(run_json("review", "reopen", one)) == ["done"]
    assert outcomes(run_json("review", "supersede", one, "--reason", "newer")) == ["done"]
    assert outcomes(run_json("review", "withdraw", one)) == ["done"]
    history = run_json("review", "show", one)["history"]
    assert [e["event"] for e in history] == ["submitted", "rejected", "reopened", "superseded", "withdrawn"]
    assert history[1]["actor"].startswith("cli:")


def test_ids_may_be_shortened(run: Run, run_json: RunJson, ids: dict[str, str]) -> None:
    whole = ids["c002"]
    assert run_json("review", "show", whole[:20].upper())["feedback_id"] == whole
    assert run("review", "show", whole[:7]).exit_code == 2
    ambiguous = next(i[:8] for i in ids.values() if sum(other[:8] == i[:8] for other in ids.values()) > 1)
    result = run("review", "show", ambiguous)
    assert result.exit_code == 1
    assert "Give more characters" in result.stderr
    document = run_json("review", "withdraw", whole, ambiguous, "ffffffff", whole[:20])
    assert sorted(outcomes(document)) == ["done", "refused", "unknown"]
    assert "No feedback has the id" in run("review", "show", "0" * 36).stderr


def test_what_users_wrote_cannot_steer_the_terminal(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", row(comment="\x1b[31m[bold]x", natural_query="[red]why?"))
    run("import", path)
    [feedback] = run_json("review", "list")["feedback"]
    shown = run("review", "show", feedback["feedback_id"]).stdout
    assert "�[31m[bold]x" in shown
    assert "[red]why?" in shown + run("review", "list").stdout
    assert "not checked yet" in shown
