"""One user out of a whole pipeline: nothing of theirs is left in any file, and everything else goes on."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from feedback_pipeline.intake import import_corrections
from feedback_pipeline.store import Interaction, any_open_erasure, opted_out_users, rate, record_many, register_database
from feedback_pipeline.store.interactions import Chunk
from feedback_pipeline_tests.cli.conftest import Run
from feedback_pipeline_tests.defs.conftest import DDL
from feedback_pipeline_tests.defs.pipeline import Pipeline, copy_root, correction, pipeline_at
from feedback_pipeline_tests.intake.files import row, write_lines
from feedback_pipeline_tests.store.running import ROOT

ZOE = "zoe@example.com"
QUESTION = "how many rivers cross zanzibarland 4711"
COMMENT = "kwyjibo was what i meant"
OUTPUT = "the xylofrobnicator answers"
REASON = "quuxly unhelpful"
NEEDLES = (QUESTION, COMMENT, OUTPUT, REASON, ZOE, "zanzibarland")


@pytest.fixture(scope="module")
def used_root(tmp_path_factory: pytest.TempPathFactory, exported_root: Path) -> Path:
    """Two users' corrections, one of them shared, three publications and three releases, interactions and rejects."""
    root = tmp_path_factory.mktemp("used") / "data"
    with pytest.MonkeyPatch.context() as patch, pipeline_at(root, exported_root / "encoders") as pipeline:
        patch.setenv("DAGSTER_HOME", str(root / "dagster"))
        _use(pipeline)
    return root


def _use(pipeline: Pipeline) -> None:
    register_database(pipeline.store, "geo", "sqlite", ddl=DDL)
    pipeline.decide(pipeline.submit(correction(1)), "verified")
    pipeline.run("nightly_aggregation")
    hers = correction("4711", natural_query=QUESTION, comment=COMMENT, user_id=ZOE, rating=5)
    shared = correction(1, user_id=ZOE, client_key="shared")
    answer = Interaction("rag", QUESTION, output=OUTPUT, user_id=ZOE, chunks=[Chunk("c1", "passage", 0.5, 1)])
    record_many(pipeline.store, [answer, Interaction("rag", "why is it so?", user_id="ann")])
    rate(pipeline.store, 1, -1, REASON)
    pipeline.decide(pipeline.submit(hers, shared), "verified")
    pipeline.run("nightly_aggregation")
    pipeline.decide(pipeline.submit(correction(2)), "verified")
    pipeline.run("nightly_aggregation")
    rows = write_lines(pipeline.root.parent / "in.jsonl", row("b1", rating=9, user_id=ZOE), row("b2", rating=9))
    import_corrections(pipeline.store, [rows], settings=pipeline.settings)


@pytest.fixture
def used(used_root: Path, exported_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    with pipeline_at(copy_root(used_root, tmp_path / "data"), exported_root / "encoders") as pipeline:
        monkeypatch.setenv("DAGSTER_HOME", str(pipeline.root / "dagster"))
        yield pipeline


def files_with(root: Path, needle: str) -> list[str]:
    files = (path for path in root.rglob("*") if path.is_file() and "encoders" not in path.parts)
    return [str(path.relative_to(root)) for path in files if needle.encode() in path.read_bytes()]


def erase(run: Run, *more: str) -> dict:
    result = run("erase", "--user-id", ZOE, "--json", *more)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def whereabouts(pipeline: Pipeline) -> set[str]:
    return {part for needle in NEEDLES for file in files_with(pipeline.root, needle) for part in [file.split("/")[0]]}


def test_nothing_is_left_in_any_file(used: Pipeline, run_here: Run) -> None:
    assert whereabouts(used) >= {"feedback.db", "index", "rejects", "dagster"}
    user_hash = used.store.hash_user(ZOE)
    ids = used.ids()

    receipt = erase(run_here)

    assert {needle: files_with(used.root, needle) for needle in NEEDLES} == {needle: [] for needle in NEEDLES}
    journal = {"feedback.db", "feedback.db-wal", f"erasures/{receipt['erasure_id']}.json"}
    assert {file for file in files_with(used.root, user_hash) if not file.startswith("dagster/")} <= journal
    assert set(files_with(used.root, ids["key-4711"])) <= journal
    assert receipt["verification"]["total"] == 0
    assert receipt["verification"]["searched_by"] == "ids and texts"
    assert json.loads((used.root / "erasures" / f"{receipt['erasure_id']}.json").read_text()) == receipt
    places = {"index", "releases", "tables", "vectors", "rejects", "training", "run_history", "store"}
    assert set(receipt["removed"]) == places
    # Submitted, checked, verified and applied, and withdrawn by the erasure itself.
    assert receipt["found"]["store"] == {"feedback": 2, "events": 10, "interactions": 1, "retrieved_chunks": 1}
    assert receipt["found"]["releases"] == {"text2sql": [2, 3]}
    assert receipt["examples_others_gave_too"] == 1
    assert opted_out_users(used.store) == {user_hash}


def test_others_go_on_as_before(used: Pipeline, run_here: Run) -> None:
    erase(run_here)
    assert {example.natural_query for example in used.similar(QUESTION)} == {correction(2).natural_query}

    used.run("nightly_aggregation")

    assert {example.natural_query for example in used.similar(QUESTION)} == {
        correction(number).natural_query for number in (1, 2)
    }
    assert sorted(used.ids()) == ["key-1", "key-2"]
    assert whereabouts(used) == set()
    assert sum(used.latest().rows.values()) == 2


def test_again_finds_nothing_and_an_unknown_user_neither(used: Pipeline, run_here: Run) -> None:
    erase(run_here)

    again = erase(run_here)
    stranger = run_here("erase", "--user-id", "nobody")

    assert (again["nothing_found"], again["found"]) == (True, {})
    assert stranger.exit_code == 0
    assert "nothing of this user was found" in stranger.stdout


def test_a_dry_run_lists_the_same_and_changes_nothing(used: Pipeline, run_here: Run) -> None:
    before = {path: path.read_bytes() for path in used.root.rglob("*.parquet")}
    versions = [p.version for p in used.feedback.index.publications()]

    listed = erase(run_here, "--dry-run")

    assert {path: path.read_bytes() for path in used.root.rglob("*.parquet")} == before
    assert [p.version for p in used.feedback.index.publications()] == versions
    assert not any_open_erasure(used.store)
    assert opted_out_users(used.store) == set()
    found = erase(run_here)["found"]
    # Asking for it has withdrawn both corrections.
    found["store"]["events"] -= 2
    assert listed["found"] == found


def test_models_that_saw_the_data_are_named_and_what_is_revoked_says_so(used: Pipeline, run_here: Run) -> None:
    for name, version in (("clean", 1), ("tainted", 2)):
        assert run_here("models", "add", name, "--trained-on", f"text2sql@v{version}").exit_code == 0

    receipt = erase(run_here, "--keep-consent")

    assert receipt["consent"] == "kept"
    assert opted_out_users(used.store) == set()
    assert receipt["trained_models"] == [{"name": "tainted", "trained_on": "text2sql@v2", "note": None}]
    again = erase(run_here, "--keep-consent")
    assert again["erasure_id"] != receipt["erasure_id"]
    assert again["trained_models"] == receipt["trained_models"]
    assert "revoked: erasure; take v4 or later" in run_here("dataset", "list").stdout
    assert "revoked: erasure" in run_here("index", "list").stdout
    gone = run_here("index", "rollback", 2)
    assert gone.exit_code == 1
    assert "removed for good (erasure)" in gone.stderr


def test_the_receipt_is_a_materialisation_without_ids(used: Pipeline, run_here: Run) -> None:
    receipt = erase(run_here)

    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("erasure_receipt"))
        raw = instance.get_latest_materialization_event(dg.AssetKey("raw_feedback"))
    assert event is not None
    assert event.asset_materialization is not None
    listed = event.asset_materialization.metadata["receipts"]
    assert isinstance(listed, dg.JsonMetadataValue)
    assert isinstance(listed.data, list)
    [shown] = listed.data
    assert isinstance(shown, dict)
    assert shown["erasure_id"] == receipt["erasure_id"]
    assert "feedback_ids" not in shown
    assert raw is not None


KILLED = """
import os, signal, sys
import feedback_pipeline.definitions
from feedback_pipeline.cli import app
from feedback_pipeline.erasure import erase
real = erase.note_progress
for moment in range(8):
    def note(store, erasure_id, progress):
        if len(progress) > moment:
            os.kill(os.getpid(), signal.SIGKILL)
        real(store, erasure_id, progress)
    erase.note_progress = note
    # Forked, because importing all of it again takes longer than erasing.
    if (child := os.fork()) == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        app(["erase", "--user-id", "zoe@example.com"])
    print(moment, os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


def test_killed_between_doing_and_noting_each_step_the_next_run_finishes(used: Pipeline) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:-1] == [f"{moment} {signal.SIGKILL.value}" for moment in range(8)], done.stderr
    assert any_open_erasure(used.store)

    used.run("nightly_aggregation")

    assert not any_open_erasure(used.store)
    assert whereabouts(used) == set()
    [path] = (used.root / "erasures").iterdir()
    receipt = json.loads(path.read_text())
    # Each attempt was killed at another place, and each had removed all there was.
    assert {name for name, done in receipt["removed"].items() if done.get("resumed")} == set(receipt["found"])


def test_an_import_of_the_same_rows_brings_nothing_back(used: Pipeline, run_here: Run, tmp_path: Path) -> None:
    erase(run_here)
    rows = [row("k9", natural_query=QUESTION, user_id=ZOE), row("k8", rating=9, user_id=ZOE), row("k7", user_id="ann")]

    result = run_here("import", write_lines(tmp_path / "again.jsonl", *rows), "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (report["read"], report["stored"], report["opted_out"], report["rejected"]) == (3, 1, 2, 0)
    assert report["rejects_paths"] == []
    assert whereabouts(used) == set()


def test_opting_out_takes_examples_out_at_once(used: Pipeline, run_here: Run) -> None:
    result = run_here("opt-out", "--user-id", ZOE, "--json")

    assert json.loads(result.stdout) == {
        "opted_out": True,
        "known_before": False,
        "nothing_known": False,
        "withdrawn": 2,
        "examples_taken_out": 2,
        "index_version": 4,
    }
    assert {example.natural_query for example in used.similar(QUESTION)} == {correction(2).natural_query}
    used.run()
    assert QUESTION not in {example.natural_query for example in used.similar(QUESTION)}
    assert correction(1).natural_query in {example.natural_query for example in used.similar(QUESTION)}
    assert "accepted again" in run_here("opt-out", "--user-id", ZOE, "--undo").stdout


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command in the environment of the pipeline."""
    from typer.testing import CliRunner

    from feedback_pipeline.cli import app

    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
