"""The development servers: UI, daemon and API come up together and go away together."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from feedback_pipeline_tests.processes import Running, all_gone, free_port, running, wait_for

QUERY = """{ sensorsOrError(repositorySelector: {repositoryLocationName: "LOCATION", repositoryName: "__repository__"})
  { ... on Sensors { results { name sensorState { status ticks(limit: 1) { status } } } } } }"""
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"


def ask(url: str, query: str) -> dict:
    return httpx.post(f"{url}/graphql", json={"query": query}, timeout=10).json()["data"]


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[tuple[Running, str, str]]:
    """Start the command on free ports; end it, whatever happened."""
    ports = free_port(), free_port()
    with running(tmp_path, "dev", "--port", str(ports[0]), "--api-port", str(ports[1])) as command:
        yield command, f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"


def test_ui_sensors_and_api_come_up_and_everything_ends_with_it(dev: tuple[Running, str, str]) -> None:
    command, url, api = dev
    assert "dagster_version" in wait_for(lambda: httpx.get(f"{url}/server_info", timeout=5).json(), "the UI")
    assert wait_for(lambda: httpx.get(f"{api}/readyz", timeout=5).json() == {"status": "ok"}, "the API")

    def ticked() -> bool:
        location = ask(url, LOCATIONS)["workspaceOrError"]["locationEntries"][0]["name"]
        sensors = {
            s["name"]: s["sensorState"]
            for s in ask(url, QUERY.replace("LOCATION", location))["sensorsOrError"]["results"]
        }
        state = sensors["verified_feedback_sensor"]
        return state["status"] == "RUNNING" and state["ticks"][0]["status"] == "SKIPPED"

    assert wait_for(ticked, "a tick of the sensor")
    family = command.children()
    for part in ("dagster dev", "cli serve", "triage --follow"):
        assert any(part in line for line in family.values()), part

    command.process.send_signal(signal.SIGINT)
    assert command.process.wait(60) == 0

    wait_for(lambda: all_gone(family), "the end of all child processes")


def test_when_one_part_is_killed_nothing_is_left_of_the_others(dev: tuple[Running, str, str]) -> None:
    command, _, _ = dev
    parts = ("dagster dev", "cli serve", "triage --follow")
    wait_for(lambda: all(any(p in c for c in command.children().values()) for p in parts), "all parts")
    family = command.children()

    os.kill(next(pid for pid, line in family.items() if "cli serve" in line), signal.SIGKILL)

    assert command.process.wait(90) == 1
    assert "error: The API ended (exit code -9)" in command.log
    wait_for(lambda: all_gone(family), "the end of all child processes")


def test_a_taken_port_of_the_api_ends_everything(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = ("--port", str(free_port()), "--api-port", str(taken.getsockname()[1]))
        with running(tmp_path, "dev", *ports) as command:
            assert command.process.wait(90) == 1

    assert "error: cannot listen on 127.0.0.1" in command.log
    assert "error: The API ended (exit code 1)" in command.log
