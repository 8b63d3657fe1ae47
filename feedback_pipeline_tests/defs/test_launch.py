"""Running jobs in this process: homes, unknown jobs, and runs whose process was killed."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import dagster as dg
import pytest

from feedback_pipeline.defs.launch import DagsterHomeError, UnknownJobError, dagster_home, run_job, wait_for_writers
from feedback_pipeline_tests.defs.pipeline import Pipeline, correction
from feedback_pipeline_tests.store.running import ROOT

DIES_WHILE_PUBLISHING = """
import os, signal
from feedback_pipeline.defs import serving
serving.promote = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
from feedback_pipeline.defs.launch import run_job
from feedback_pipeline.settings import get_settings
run_job("promote_verified", get_settings())
"""


def test_a_run_after_a_killed_one_does_not_wait_for_it(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(pipeline.root / "dagster"))
    ids = pipeline.submit(correction(1))
    pipeline.decide(ids, "verified")
    killed = subprocess.run([sys.executable, "-c", DIES_WHILE_PUBLISHING], cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    pipeline.run()

    assert pipeline.live().rows == 1
    assert pipeline.status(ids[0]) == "applied"
    with dg.DagsterInstance.get() as instance:
        ends = sorted(run.status.value for run in instance.get_runs())
    assert ends == ["FAILURE", "SUCCESS"]


def test_an_erasure_waits_for_a_run_whatever_its_tags(tmp_path: Path) -> None:
    begun, may_end, waited = threading.Event(), threading.Event(), threading.Event()

    @dg.asset
    def by_hand() -> None:
        begun.set()
        may_end.wait(60)

    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        run = threading.Thread(target=lambda: dg.materialize([by_hand], instance=instance))
        waiting = threading.Thread(target=lambda: (wait_for_writers(instance), waited.set()))
        run.start()
        assert begun.wait(60)
        waiting.start()
        assert not waited.wait(2)
        # A run that asks for itself does not wait for itself, nor for later ones.
        [own] = instance.get_runs()
        wait_for_writers(instance, own.run_id)
        may_end.set()
        run.join()
        assert waited.wait(30)


def test_an_unknown_job_names_those_there_are(pipeline: Pipeline) -> None:
    with pytest.raises(UnknownJobError, match="no job 'nope'; jobs: erasure, nightly_aggregation, promote_verified"):
        run_job("nope", pipeline.settings)


def test_a_home_of_ones_own_is_made_absolute_and_keeps_its_settings(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pipeline.root / "elsewhere").mkdir()
    (pipeline.root / "elsewhere" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", "elsewhere")

    home = dagster_home(pipeline.settings)

    assert home == pipeline.root / "elsewhere"
    assert (home / "dagster.yaml").read_text() == "telemetry:\n  enabled: false\n"


def test_a_home_that_cannot_be_made_is_explained(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("taken").write_text("")
    monkeypatch.setenv("DAGSTER_HOME", "taken/home")

    with pytest.raises(DagsterHomeError, match="set DAGSTER_HOME to another folder"):
        dagster_home(pipeline.settings)


def test_dagsters_telemetry_is_off_and_runs_are_retried(pipeline: Pipeline) -> None:
    dagster_home(pipeline.settings)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_settings("telemetry")["enabled"] is False
        assert instance.run_retries_enabled
        assert instance.run_monitoring_enabled
