"""Pipeline runs that a request asks for, each in a process of its own, one of each job at a time."""

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from pydantic import SecretStr

from feedback_pipeline.settings import Settings

logger = logging.getLogger(__name__)

_NOT_FOR_RUNS = ("jwt_", "api_")
"""Begin the names of settings that only the interface needs; a run gets no secret it has no use for."""

_TAIL_BYTES = 4_096


@dataclass(frozen=True)
class RunState:
    """What is known of a job's runs: ``exit_code`` and ``seconds`` are those of the last one that has ended."""

    running: bool
    wanted_again: bool
    exit_code: int | None = None
    seconds: float | None = None


_IDLE = RunState(running=False, wanted_again=False)


class PipelineRuns:
    """Starts ``feedback-pipeline run --job NAME`` behind the answer; the same job asked for twice runs once.

    Thread-safe. What it says goes to the log: how a run ended, and its last line.
    """

    def __init__(self, settings: Settings, *, command: tuple[str, ...] | None = None):
        """Prepare runs over what ``settings`` name; ``command`` stands for the one that a job's name is added to."""
        self._command = command or (sys.executable, "-m", "feedback_pipeline.cli", "run", "--job")
        self._environment = environment_of(settings)
        self._lock = threading.Lock()
        self._states: dict[str, RunState] = {}
        self._closed = False

    def request(self, job: str) -> None:
        """Have ``job`` run, soon: once more where it is under way, because it may have read already."""
        with self._lock:
            if self._closed:
                return
            state = self._states.get(job, _IDLE)
            self._states[job] = RunState(True, state.running, state.exit_code, state.seconds)
            if state.running:
                return
        threading.Thread(target=self._run, args=(job,), name=f"run-{job}", daemon=True).start()

    def state(self) -> dict[str, RunState]:
        """Return what is known of every job that was asked for."""
        with self._lock:
            return dict(self._states)

    def close(self) -> None:
        """Start nothing more; what runs goes on to its end, even after this process."""
        with self._lock:
            self._closed = True

    def _run(self, job: str) -> None:
        again = True
        while again:
            started = time.monotonic()
            exit_code = self._one(job)
            seconds = time.monotonic() - started
            with self._lock:
                again = self._states[job].wanted_again and not self._closed
                self._states[job] = RunState(again, False, exit_code, seconds)

    def _one(self, job: str) -> int | None:
        """Run ``job`` and return its exit code, None where it could not be started."""
        # A file and no pipe: it still takes what a run says when this process is gone.
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    [*self._command, job],
                    env=dict(self._environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C in the terminal of the server is not for the run.
                    start_new_session=True,
                )
            except OSError as error:
                logger.error("the job %s cannot be started: %s", job, error.strerror)
                return None
            logger.info("the job %s runs as process %d", job, process.pid)
            exit_code = process.wait()
            level = logging.INFO if exit_code == 0 else logging.ERROR
            logger.log(level, "the job %s ended with exit code %d: %s", job, exit_code, _last_line(output))
        return exit_code


def _last_line(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL_BYTES))
    lines = [line.strip() for line in output.read().decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "it said nothing")


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Return the environment in which another process of ours finds the same ``settings``."""
    environment = dict(os.environ)
    for name in Settings.model_fields:
        environment.pop(f"FEEDBACK_{name.upper()}", None)
        value = getattr(settings, name)
        if value is not None and not name.startswith(_NOT_FOR_RUNS):
            plain = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            environment[f"FEEDBACK_{name.upper()}"] = plain
    return environment
