"""Runs that a request asks for: in a process of their own, one at a time, and with the settings of the server."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from feedback_pipeline.api.runs import PipelineRuns, environment_of
from feedback_pipeline.settings import Settings
from feedback_pipeline_tests.api.conftest import SECRET, api_settings

JOB = "promote_verified"
SLOWLY = (
    "import sys, time, pathlib; p = pathlib.Path({log!r}); p.open('a').write('begin\\n'); time.sleep({seconds}); "
    "p.open('a').write('end\\n'); print('said', 'at last')"
)


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def runs_of(folder: Path, code: str) -> PipelineRuns:
    return PipelineRuns(api_settings(folder), command=(sys.executable, "-c", code))


def slow_runs(tmp_path: Path, seconds: float = 0.5) -> tuple[PipelineRuns, Path]:
    log = tmp_path / "log"
    return runs_of(tmp_path, SLOWLY.format(log=str(log), seconds=seconds)), log


def test_a_request_does_not_wait_for_the_run(tmp_path: Path) -> None:
    runs, log = slow_runs(tmp_path)

    started = time.monotonic()
    runs.request(JOB)
    waited = time.monotonic() - started
    until(lambda: not runs.state()[JOB].running)

    assert waited < 0.4
    assert runs.state()[JOB].exit_code == 0
    assert log.read_text() == "begin\nend\n"


def test_asked_again_while_it_runs_it_runs_once_more_and_never_beside_itself(tmp_path: Path) -> None:
    runs, log = slow_runs(tmp_path)

    for _ in range(5):
        runs.request(JOB)
    until(log.exists)
    for _ in range(5):
        runs.request(JOB)
    until(lambda: not runs.state()[JOB].running)

    assert log.read_text() == "begin\nend\n" * 2


def test_different_jobs_do_not_wait_for_each_other(tmp_path: Path) -> None:
    runs, log = slow_runs(tmp_path, seconds=1.5)

    runs.request(JOB)
    runs.request("erasure")
    until(lambda: log.exists() and log.read_text().count("begin") == 2)

    assert "end" not in log.read_text()
    until(lambda: not any(state.running for state in runs.state().values()))


def test_closed_it_starts_nothing_more_and_lets_the_run_go_on(tmp_path: Path) -> None:
    runs, log = slow_runs(tmp_path)
    runs.request(JOB)
    runs.request(JOB)
    until(log.exists)

    runs.close()
    runs.request("erasure")
    until(lambda: not runs.state()[JOB].running)

    assert log.read_text() == "begin\nend\n"
    assert "erasure" not in runs.state()


def test_no_dead_process_is_left_behind(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, "pass")
    runs.request(JOB)
    until(lambda: not runs.state()[JOB].running)

    stats = [path.read_text().rsplit(")", 1)[1].split() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]

    assert not [stat for stat in stats if stat[0] == "Z" and stat[1] == str(os.getpid())]


def test_how_it_ended_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    runs = runs_of(tmp_path, "print('first'); print('error: no room'); raise SystemExit(3)")

    runs.request(JOB)
    until(lambda: not runs.state()[JOB].running)

    assert runs.state()[JOB].exit_code == 3
    assert "the job promote_verified ended with exit code 3: error: no room" in caplog.text


def test_what_cannot_be_started_is_said_and_can_be_asked_for_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = PipelineRuns(api_settings(tmp_path), command=(str(tmp_path / "missing"),))

    runs.request(JOB)
    until(lambda: not runs.state()[JOB].running)

    assert runs.state()[JOB].exit_code is None
    assert "cannot be started" in caplog.text


def test_a_run_gets_the_settings_of_the_server_but_not_the_secrets_of_the_interface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", "sqlite:////nowhere/else.db")
    monkeypatch.setenv("FEEDBACK_JWT_SECRET", SECRET)
    settings = api_settings(tmp_path / "data", min_rating=3)
    seen = tmp_path / "seen.json"
    code = (
        "import json, os; from feedback_pipeline.settings import Settings;"
        f"json.dump([Settings().model_dump(mode='json'), dict(os.environ)], open({str(seen)!r}, 'w'))"
    )
    runs = PipelineRuns(settings, command=(sys.executable, "-c", code))

    runs.request(JOB)
    until(lambda: not runs.state()[JOB].running)

    theirs, environment = json.loads(seen.read_text())
    ours = settings.model_dump(mode="json")
    kept = [name for name in Settings.model_fields if not name.startswith(("jwt_", "api_"))]
    assert {name: theirs[name] for name in kept} == {name: ours[name] for name in kept}
    assert theirs["jwt_secret"] is None
    assert SECRET not in json.dumps(environment)
    assert environment_of(settings)["FEEDBACK_HASH_KEY"] == "secret"
