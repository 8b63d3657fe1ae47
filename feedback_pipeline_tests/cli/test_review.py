import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.cli.review import queue
from feedback_pipeline.cli.session import opened
from feedback_pipeline.insight.retirement import says_more
from feedback_pipeline.store import Status, decide
from feedback_pipeline.store.example_sources import note_sources
from feedback_pipeline.store.retirements import renew
from feedback_pipeline_tests.cli.conftest import SAMPLES, Run, RunJson
from feedback_pipeline_tests.intake.files import row, write_lines
from feedback_pipeline_tests.review.test_retirement import evidence


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
    assert tuple(listed[0]) == queue.LISTED
    assert listed[0]["created_at"] == "2026-10-05T07:08:44+00:00"
    assert run_json("review", "list", "--status", "verified")["feedback"] == []
    assert len(run_json("review", "list", "--status", "any", "--limit", 3)["feedback"]) == 3
    assert run_json("review", "list", "--database-id", "other")["feedback"] == []
    assert ids["c001"] in run("review", "list").stdout
    assert run("review", "list", "--status", "done").exit_code == 2
    assert "no feedback is applied" in run("review", "list", "--status", "applied").stdout


def test_statuses_are_those_of_the_store() -> None:
    assert tuple(status.value for status in Status) == queue.STATUSES


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
    assert event["payload"] == {"override": True, "overridden_check": "names_resolve"}
    assert event["reason"] == "age is new"


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


GOOD, ALSO_GOOD, OTHER = (
    "SELECT COUNT(*) FROM orders WHERE status = 'cancelled'",
    "SELECT COUNT(order_id) FROM orders WHERE status = 'cancelled'",
    "SELECT COUNT(*) FROM customers",
)


@pytest.fixture
def give(run: Run, run_json: RunJson, shop: Path, tmp_path: Path) -> Any:
    """Import corrections of the shop, given as ``key=fields``, and return their ids by key."""

    def give(**rows: dict[str, Any]) -> dict[str, str]:
        shop = {"db_id": "shop", "generated_sql": "SELECT 1", "corrected_sql": GOOD}
        lines = [
            row(key, **{**shop, "user_id": key, "created_at": f"2025-03-01T12:00:{n:02}Z", **fields})
            for n, (key, fields) in enumerate(rows.items())
        ]
        run("import", write_lines(tmp_path / "rows.jsonl", *lines))
        listed = run_json("review", "list", "--status", "any", "--limit", 1_000)["feedback"]
        return {feedback["client_key"]: feedback["feedback_id"] for feedback in listed}

    return give


def statuses(run_json: RunJson) -> dict[str, str]:
    listed = run_json("review", "list", "--status", "any", "--limit", 1_000)["feedback"]
    return {feedback["client_key"]: feedback["status"] for feedback in listed}


def test_all_that_passes_is_verified_and_the_rest_is_counted(run: Run, run_json: RunJson, give: Any) -> None:
    ids = give(
        good={},
        low={"rating": 2},
        broken={"corrected_sql": "SELECT nothing FROM orders"},
        one={"natural_query": "how many?"},
        two={"natural_query": "How many", "corrected_sql": OTHER},
    )
    left_out = {"conflict": 2, "failed check: names_resolve": 1, "rating below 4": 1}

    planned = run_json("review", "verify", "--all-passing", "--dry-run")
    assert (planned["outcomes"], planned["left_out"]) == ({"planned": 1, "skipped": 4}, left_out)
    assert set(statuses(run_json).values()) == {"pending"}

    document = run_json("review", "verify", "--all-passing", "--as", "ada")
    assert (document["outcomes"], document["left_out"]) == ({"done": 1, "skipped": 4}, left_out)
    assert document["decisions"][0] == {"feedback_id": ids["good"], "outcome": "done", "detail": None}
    event = run_json("review", "show", ids["good"])["history"][-1]
    assert (event["actor"], event["reason"]) == ("ada", "all checks passed")

    shown = run("review", "verify", "--all-passing", "--reason", "again")
    assert shown.exit_code == 0
    assert "verified 0" in shown.stdout
    assert "conflict" in shown.stdout


def test_flags_and_bursts_need_a_person_or_a_word(
    run: Run, run_json: RunJson, give: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feedback_pipeline.settings import get_settings

    monkeypatch.setenv("FEEDBACK_BURST_SUBMISSIONS", "3")
    get_settings.cache_clear()
    ids = give(**{f"k{n}": {"user_id": "hasty", "natural_query": f"q{n}"} for n in range(3)}, calm={})

    assert run_json("review", "verify", "--all-passing", "--dry-run")["left_out"] == {"burst": 3}
    flagged = run_json("review", "list", "--flagged")["feedback"]
    assert {f["feedback_id"]: f["flags"] for f in flagged} == {ids[f"k{n}"]: ["burst"] for n in range(3)}
    assert "burst" in run("review", "show", ids["k0"]).stdout
    done = run_json("review", "verify", "--all-passing", "--include-flagged")
    assert done["outcomes"] == {"done": 4}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("0" * 36, "--all-passing"),
        ("--all-passing", "--override", "--reason", "x"),
        ("0" * 36, "--dry-run"),
        ("0" * 36, "--database-id", "shop"),
    ],
)
def test_ids_and_all_that_passes_exclude_each_other(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("review", "verify", *arguments).exit_code == 2


def test_rivals_are_shown_side_by_side_with_their_evidence(run: Run, run_json: RunJson, give: Any) -> None:
    ids = give(
        a={"natural_query": "how many?"},
        b={"natural_query": "How many", "corrected_sql": ALSO_GOOD},
        c={"natural_query": "how many", "corrected_sql": OTHER},
        d={"natural_query": "something else"},
    )

    [conflict] = run_json("review", "conflicts")["conflicts"]
    same, other = conflict["rivals"]
    assert (conflict["database_id"], conflict["question"]) == ("shop", "how many")
    assert (same["feedback_ids"], same["users"]) == ([ids["a"], ids["b"]], 2)
    assert (same["sqls"], other["sqls"]) == ([same["sql"], ALSO_GOOD], [OTHER])
    assert (other["sql"], other["statuses"]) == (OTHER, {ids["c"]: "pending"})
    assert same["result_digest"] != other["result_digest"]
    assert other["execution"]["corrected"]["outcome"] == "ok"
    shown = run("review", "conflicts", "--database-id", "shop").stdout
    expected = (OTHER, ALSO_GOOD, ids["b"], "ok, 1 row", "only the answer gives, or gives more often")
    assert all(text in shown for text in expected)
    listed = run_json("review", "list", "--conflicts")["feedback"]
    assert {feedback["feedback_id"] for feedback in listed} == {ids[key] for key in "abc"}
    run("review", "reject", ids["c"], "--reason", "wrong table")
    assert "no question" in run("review", "conflicts").stdout
    assert run_json("review", "verify", "--all-passing")["outcomes"] == {"done": 3}


def test_evidence_shows_both_sides_and_what_only_one_gives(run: Run, run_json: RunJson, give: Any) -> None:
    ids = give(
        differ={"generated_sql": OTHER},
        equal={"generated_sql": ALSO_GOOD},
        broken={"generated_sql": "SELECT x FROM nowhere"},
    )
    run("review", "verify", "--all-passing", "--dry-run")

    found = {key: run("review", "show", feedback_id).stdout for key, feedback_id in ids.items()}
    assert all(
        text in found["differ"]
        for text in ("only the answer gives, or gives more often", "only the generated SQL gives, or gives more often")
    )
    assert "ok, 1 row" in found["differ"]
    assert "equal" in found["equal"]
    assert "no such table: nowhere" in found["broken"]
    listed = run_json("review", "list")["feedback"]
    equal = {f["client_key"]: f["checks"]["execution"]["results_equal"] for f in listed}
    assert equal == {"differ": False, "equal": True, "broken": False}
    assert "differ" in run("review", "list").stdout


def test_an_answer_that_does_not_run_needs_an_override(run: Run, run_json: RunJson, give: Any) -> None:
    ids = give(fails={"corrected_sql": "SELECT abs(-9223372036854775807 - 1) FROM orders"})

    refused = run("review", "verify", ids["fails"])
    assert refused.exit_code == 1
    assert "It fails the check execution: the corrected SQL fails" in refused.stdout
    assert "--override and --reason" in refused.stdout
    document = run_json("review", "verify", ids["fails"], "--override", "--reason", "runs on the real data")
    assert outcomes(document) == ["done"]
    event = run_json("review", "show", ids["fails"])["history"][-1]
    assert event["payload"]["overridden_check"] == "execution"


def test_two_commands_at_once_decide_each_feedback_once(run: Run, run_json: RunJson, give: Any, tmp_path: Path) -> None:
    give(**{f"k{n}": {"natural_query": f"q{n}"} for n in range(60)})
    command = [sys.executable, "-m", "feedback_pipeline.cli", "review", "verify", "--all-passing", "--json", "--as"]

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    reviewers = [subprocess.Popen([*command, name], cwd=tmp_path, **pipes) for name in ("ada", "bob")]
    results = [reviewer.communicate(timeout=120) for reviewer in reviewers]

    assert [reviewer.returncode for reviewer in reviewers] == [0, 0], results
    decided = [d for out, _ in results for d in json.loads(out)["decisions"] if d["outcome"] == "done"]
    assert len({d["feedback_id"] for d in decided}) == len(decided) == 60
    assert set(statuses(run_json).values()) == {"verified"}


def test_what_could_only_be_read_is_said_plainly(run: Run, run_json: RunJson, give: Any) -> None:
    give(ran={}, read={"db_id": "elsewhere", "corrected_sql": "SELECT name FROM t"})

    shown = run("review", "verify", "--all-passing", "--dry-run").stdout
    document = run_json("review", "verify", "--all-passing")

    assert "unverifiable by execution, so only read: 1 of them" in shown
    assert (document["outcomes"], document["unverifiable_by_execution"]) == ({"done": 2}, 1)


def test_signs_that_hide_or_reorder_text_are_spelled_out(run: Run, give: Any) -> None:
    give(trick={"natural_query": "orders \u202eof\u200b Ann"})

    shown = run("review", "list").stdout

    assert r"orders \u{202e}of\u{200b} Ann" in shown


def test_what_is_proposed_for_retirement_is_listed_shown_and_kept(
    run: Run, run_json: RunJson, ids: dict[str, str]
) -> None:
    run("review", "verify", ids["c001"])
    with opened() as (_, store):
        decide(store, [ids["c001"]], "applied", actor="pipeline")
        note_sources(store, [("e1", ids["c001"])])
        renew(store, {"e1": evidence()}, is_new=says_more)

    [listed] = run_json("review", "list", "--retirement")["feedback"]
    shown = run_json("review", "show", ids["c001"])

    assert (listed["feedback_id"], listed["status"], "harmful" in listed["flags"]) == (ids["c001"], "applied", True)
    assert [(one["example_id"], one["lift"]) for one in shown["retirements"]] == [("e1", -0.9)]
    assert "proposed for retirement" in run("review", "show", ids["c001"]).stdout
    assert outcomes(run_json("review", "keep", ids["c001"], "--reason", "it is right", "--as", "ada")) == ["done"]
    assert run_json("review", "list", "--retirement")["feedback"] == []
    again = run("review", "keep", ids["c001"])
    assert (again.exit_code, "not proposed" in again.stdout) == (1, True)
