import functools
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import feedback_pipeline.store
from feedback_pipeline_tests.cli.conftest import SAMPLES, Run, RunJson
from feedback_pipeline_tests.intake.files import row, write_lines
from feedback_pipeline_tests.store.running import ROOT

CORRECTIONS = SAMPLES / "corrections.jsonl"


def test_all_rows_in_is_exit_code_0(run: Run, shop: Path) -> None:
    result = run("import", CORRECTIONS, "--verify-as", "ada")
    assert result.exit_code == 0, result.output
    assert "404" in result.stdout
    assert "verified: 396" in result.stdout
    assert "names_resolve 4, parses 2, read_only 2" in result.stdout
    assert "next: feedback-pipeline run" in result.stdout
    assert result.stderr == ""


def test_some_rows_rejected_is_exit_code_3(run: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", row("k1"), row("k2", rating=9))
    result = run("import", path, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 3
    assert (report["read"], report["stored"], report["rejected"]) == (2, 1, 1)
    assert Path(report["rejects_paths"][0]).is_file()
    assert report["rejected_fields"] == {"rating": 1}
    assert report["files"][0]["rejects_path"] == report["rejects_paths"][0]
    assert report["unregistered_databases"] == {"geo": 1}
    assert "feedback-pipeline databases add geo --dialect" in result.stderr


def test_a_file_that_cannot_be_read_is_exit_code_1(run: Run) -> None:
    result = run("import", "missing.jsonl", "--json")
    assert result.exit_code == 1
    assert "missing.jsonl: there is no such file" in result.stderr
    assert json.loads(result.stdout)["error"]["type"] == "InputFileError"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["rows.jsonl", "--map", "a=correct_sql"], "Did you mean corrected_sql"),
        (["rows.jsonl", "--map", "a"], "theirs=ours"),
        (["a=rating"], "at least one file"),
        (["rows.jsonl", "--verify-as", " "], "must name a reviewer"),
        (["rows.jsonl", "--source", ""], "1 to 100"),
        (["rows.jsonl", "--kind", "interactions", "--verify-as", "ada"], "not verified"),
        (["rows.jsonl", "--kind", "ratings"], "corrections"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str], problem: str) -> None:
    result = run("import", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_mappings_may_follow_each_other(run_json: RunJson, tmp_path: Path) -> None:
    lines = [row("k1", db_id=..., natural_query=..., table="t", text="q", note="n")]
    path = write_lines(tmp_path / "rows.jsonl", *lines)
    report = run_json("import", path, "--map", "table=database_id,note=comment", "text=natural_query")
    assert report["stored"] == 1
    [stored] = run_json("review", "list")["feedback"]
    assert (stored["database_id"], stored["natural_query"], stored["comment"]) == ("t", "q", "n")


def test_a_mapped_column_that_no_row_has_is_warned_about(run: Run, tmp_path: Path) -> None:
    result = run("import", write_lines(tmp_path / "rows.jsonl", row()), "--map", "note=comment")
    assert "no row has the mapped column(s) note" in result.stderr


def test_interactions(run: Run, run_json: RunJson) -> None:
    path = SAMPLES / "interactions.jsonl"
    assert "--kind interactions" in run("import", path).stderr
    assert run_json("import", path, "--kind", "interactions")["stored"] == 73


def test_several_files_of_several_formats(run_json: RunJson, tmp_path: Path) -> None:
    one = write_lines(tmp_path / "one.jsonl.gz", row("k1"), row("k2"))
    two = tmp_path / "two.csv"
    two.write_text("id,db_id,question,sql,rating\nk2,geo,q,SELECT 1,\nk3,geo,q,SELECT 1,4\n")
    report = run_json("import", one, two, "--source", "legacy")
    assert [(f["read"], f["stored"], f["already_known"]) for f in report["files"]] == [(2, 2, 0), (2, 1, 1)]
    assert report["differing"] == 1
    assert {f["source"] for f in run_json("review", "list")["feedback"]} == {"legacy"}


def test_a_locked_store_is_said_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_lines(tmp_path / "rows.jsonl", row())
    run("review", "list")
    impatient = functools.partial(feedback_pipeline.store.open_store, busy_timeout_s=0.1)
    monkeypatch.setattr(feedback_pipeline.store, "open_store", impatient)
    writer = sqlite3.connect(tmp_path / "data" / "feedback.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    result = run("import", path)
    writer.close()
    assert result.exit_code == 1
    assert result.stderr.startswith("error: The store ")
    assert "database is locked" in result.stderr
    assert run("import", path).exit_code == 0


def test_as_a_process(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", row("k1", natural_query="größe [red]?"), row("k2", rating="4.5"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FEEDBACK_STORAGE_ROOT": str(tmp_path / "data")}
    code = "from feedback_pipeline.cli import app; app()"
    command = [sys.executable, "-c", code, "import", str(path), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert json.loads(done.stdout)["rejected"] == 1
    assert "Traceback" not in done.stderr
