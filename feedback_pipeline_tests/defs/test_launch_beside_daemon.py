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


@pytest.fixture
def start(instance: dg.DagsterInstance) -> Iterator[Start]:
    """Start a run with tags, in a thread, that goes on until the test ends."""
    begun, may_end = threading.Event(), threading.Event()

    @dg.op
    def works() -> None:
        begun.set()
        may_end.wait(60)

    @dg.job
    def writes() -> None:
        works()

    threads: list[threading.Thread] = []

    def start_it(tags: dict[str, str]) -> None:
        execute = lambda: writes.execute_in_process(instance=instance, tags=tags)  # noqa: E731
        threads.append(threading.Thread(target=execute))
        threads[0].start()
        assert begun.wait(60)

    yield start_it
    may_end.set()
    for thread in threads:
        thread.join(60)


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
