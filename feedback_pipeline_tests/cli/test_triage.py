import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feedback_pipeline_tests.cli.conftest import SAMPLES, Run, RunJson
from feedback_pipeline_tests.store.running import ROOT


def test_triage_checks_and_orders_what_waits(run: Run, run_json: RunJson, shop: Path) -> None:
    run("import", SAMPLES / "corrections.jsonl")
    waiting = len(run_json("review", "list", "--limit", 1_000)["feedback"])

    first, second = run_json("triage"), run_json("triage")

    assert (first["checked"], first["waiting"]) == (waiting, waiting)
    assert first["moved"] > 0
    assert (second["checked"], second["moved"], second["in_conflict"]) == (0, 0, first["in_conflict"])
    assert f"waiting {waiting}" in run("triage").stdout


@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT])
def test_following_goes_on_until_it_is_ended_and_ends_at_once(
    run: Run, run_json: RunJson, shop: Path, wish: signal.Signals
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "feedback_pipeline.cli", "triage", "--follow", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    run("import", SAMPLES / "corrections.jsonl")

    report = json.loads(process.stdout.readline())
    process.send_signal(wish)
    started = time.monotonic()
    process.wait(30)

    assert report["checked"] > 0
    assert time.monotonic() - started < 2
    assert process.returncode == -wish
    process.stdout.close()
    # Nothing is left half done: the next one goes on.
    run_json("triage")
    assert run_json("triage")["moved"] == 0


def test_a_follower_ends_with_the_process_that_started_it(tmp_path: Path):
    command = [sys.executable, "-m", "feedback_pipeline.cli", "triage", "--follow", "--with-parent"]
    started = f"subprocess.Popen([*{command!r}, str(os.getpid())]).pid"
    starter = f"import os, subprocess, time; print({started}, flush=True); time.sleep(60)"
    environment = os.environ | {"FEEDBACK_STORAGE_ROOT": str(tmp_path / "data")}
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout
    process_id = int(parent.stdout.readline())
    follower = Path("/proc") / str(process_id)

    parent.kill()
    parent.wait()

    deadline = time.monotonic() + 60
    while is_running(follower) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(follower)


def is_running(process: Path) -> bool:
    try:
        return ") Z " not in (process / "stat").read_text()
    except OSError:
        return False
