"""One run from the command line at a time, and the remains of killed ones cleared away.

A run killed in the middle stays "started" in Dagster and keeps its place in the pools, so the next one would wait for
ever. Whoever holds the lock knows that all unfinished runs of its kind are dead.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus
from filelock import FileLock, Timeout

IN_PROCESS = {"feedback_pipeline/launched_by": "command line"}
"""Tag of runs that live and die with the process that started them."""

_UNFINISHED = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.NOT_STARTED]


TRAINING_IN_PROCESS = {"feedback_pipeline/launched_by": "command line, training"}
"""Tag of trainings started so: they take long, and nothing else waits for them."""


@contextmanager
def only_run(home: Path, *, training: bool = False) -> Iterator[dg.DagsterInstance]:
    """Yield the Dagster instance of ``home`` while no other run from a command line uses it; waits for its turn.

    Trainings wait for each other only.
    """
    lock = FileLock(home / ("command-line-training.lock" if training else "command-line-run.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("another run is under way; waiting for it to end", file=sys.stderr)
        lock.acquire()
    try:
        with dg.DagsterInstance.get() as instance:
            _bury_the_dead(instance, TRAINING_IN_PROCESS if training else IN_PROCESS)
            yield instance
    finally:
        lock.release()


def _bury_the_dead(instance: dg.DagsterInstance, tags: dict[str, str]) -> None:
    killed = instance.get_runs(dg.RunsFilter(tags=tags, statuses=_UNFINISHED))
    for run in killed:
        instance.report_run_failed(run, "The process of this run was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
