"""Runs from a command line beside those of a daemon."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from feedback_pipeline.defs.jobs import ONE_AT_A_TIME
from feedback_pipeline.defs.launch import _let_the_daemon_finish

Start = Callable[[dict[str, str]], None]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as opened:
        yield opened


@dg.op
def works() -> None:
    """Do nothing: what counts is that the run is on record as started."""


@dg.job
def writes() -> None:
    works()


@pytest.fixture
def start(instance: dg.DagsterInstance) -> Start:
    """Put a run with tags on record that has started, and has not ended."""

    def start_it(tags: dict[str, str]) -> None:
        instance.create_run_for_job(writes, tags=tags, status=dg.DagsterRunStatus.STARTED)

    return start_it


def beat(instance: dg.DagsterInstance, seconds_ago: float) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, "SENSOR", "one", []))


def waits(instance: dg.DagsterInstance, seconds: float = 2.0) -> bool:
    done = threading.Event()
    threading.Thread(target=lambda: (_let_the_daemon_finish(instance), done.set()), daemon=True).start()
    return not done.wait(seconds)


def test_a_run_of_a_living_daemon_that_writes_tables_is_waited_for(instance: dg.DagsterInstance, start: Start) -> None:
    beat(instance, 1)
    start(ONE_AT_A_TIME)

    assert waits(instance)


def test_what_a_dead_daemon_left_behind_is_not_waited_for(instance: dg.DagsterInstance, start: Start) -> None:
    start(ONE_AT_A_TIME)
    without_daemon = waits(instance, 20)
    beat(instance, 600)

    assert not without_daemon
    assert not waits(instance, 20)


def test_runs_that_write_no_tables_are_not_waited_for(instance: dg.DagsterInstance, start: Start) -> None:
    beat(instance, 1)
    start({})

    assert not waits(instance, 20)
