"""The development servers: UI and daemon come up together and go away together."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from feedback_pipeline_tests.store.running import ROOT

SECONDS = 90
QUERY = """{ sensorsOrError(repositorySelector: {repositoryLocationName: "LOCATION", repositoryName: "__repository__"})
  { ... on Sensors { results { name sensorState { status ticks(limit: 1) { status } } } } } }"""
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"


def wait_for(look: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except (httpx.HTTPError, KeyError, IndexError, TypeError):
            pass
        time.sleep(0.3)
    raise AssertionError(f"{what} did not happen within {SECONDS} seconds")


def ask(url: str, query: str) -> dict:
    return httpx.post(f"{url}/graphql", json={"query": query}, timeout=10).json()["data"]


def descendants(pid: int) -> set[int]:
    """Return all processes below ``pid``."""
    below: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            below |= {int(child), *descendants(int(child))}
    return below


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start the command on a free port; end it, whatever happened."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "FEEDBACK_STORAGE_ROOT": str(tmp_path / "data"), "FEEDBACK_HASH_KEY": "secret"}
    environment["DAGSTER_HOME"] = str(tmp_path / "dagster")
    command = [sys.executable, "-m", "feedback_pipeline.cli", "dev", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    yield process, f"http://127.0.0.1:{port}"
    for pid in {process.pid, *descendants(process.pid)}:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def test_ui_and_sensors_come_up_and_everything_ends_with_it(dev: tuple[subprocess.Popen[bytes], str]) -> None:
    process, url = dev
    assert "dagster_version" in wait_for(lambda: httpx.get(f"{url}/server_info", timeout=5).json(), "the UI")

    def ticked() -> bool:
        location = ask(url, LOCATIONS)["workspaceOrError"]["locationEntries"][0]["name"]
        sensors = {
            s["name"]: s["sensorState"]
            for s in ask(url, QUERY.replace("LOCATION", location))["sensorsOrError"]["results"]
        }
        state = sensors["verified_feedback_sensor"]
        return state["status"] == "RUNNING" and state["ticks"][0]["status"] == "SKIPPED"

    assert wait_for(ticked, "a tick of the sensor")
    family = descendants(process.pid)
    assert len(family) >= 2

    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)

    wait_for(lambda: not any(is_alive(pid) for pid in family), "the end of all child processes")
