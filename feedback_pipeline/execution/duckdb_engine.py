"""DuckDB, in a process of its own (``duckdb_worker``): read-only, external access off, configuration locked."""

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import feedback_pipeline
from feedback_pipeline.execution.contracts import Limits
from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.results import Result
from feedback_pipeline.execution.sessions import UnreachableError

_START_S = 60.0
_GRACE_S = 1.0
"""How long after its deadline a query may take to end by itself, before its process is ended."""

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "LANG")
"""All that the process gets to know of the environment, which may hold secrets."""


class _EndedError(RuntimeError):
    """The process has ended instead of answering; ``late`` when it was ended for taking too long."""

    def __init__(self, late: bool):
        super().__init__("the DuckDB process has ended")
        self.late = late


class DuckdbSession:
    """A DuckDB file, opened read-only in a process that ends with the session."""

    def __init__(self, path: Path, limits: Limits, watch: Watch):
        if importlib.util.find_spec("duckdb") is None:
            raise UnreachableError("the package duckdb is not installed: pip install 'feedback-pipeline[duckdb]'")
        self._limits = limits
        self._goes_on = True
        self._process, self._requests, self._answers = _started()
        try:
            problem = self._ask((path, limits), watch, _START_S)
        except _EndedError:
            problem = "DuckDB does not start"
        if problem is not None:
            self.close()
            raise UnreachableError(_readable(problem))

    def run(self, sql: str, watch: Watch) -> Result:
        """Run one query within the limits."""
        try:
            result, self._goes_on = self._ask(sql, watch, self._limits.timeout_s + _GRACE_S)
        except _EndedError as ended:
            if ended.late:
                return Result("timed_out", f"not done after {self._limits.timeout_s:g} s")
            return Result("error", "DuckDB gave up while running it")
        return result

    def is_alive(self) -> bool:
        """Tell whether the process takes another query."""
        return self._goes_on and self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        try:
            self._requests.close()
        except BrokenPipeError:
            # What was left to send has nobody to read it any more.
            return

    def _ask(self, request: Any, watch: Watch, seconds: float) -> Any:
        with watch.limit(seconds, self._process.kill) as deadline:
            try:
                pickle.dump(request, self._requests)
                self._requests.flush()
                return pickle.load(self._answers)  # noqa: S301 - from a program of our own
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                self._process.kill()
                self._process.wait()
                raise _EndedError(deadline.passed) from error


def _started() -> tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    root = str(Path(feedback_pipeline.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "feedback_pipeline.execution.duckdb_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        # Ctrl-C is for this process, which then ends that one.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    return process, process.stdin, process.stdout


def _readable(problem: str) -> str:
    if "lock" in problem.lower():
        return "another process has opened it for writing: try again when that has ended"
    return f"its file cannot be read ({problem.strip().splitlines()[0]})"
