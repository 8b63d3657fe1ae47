"""Commands that go on until they are ended, and all they start."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from feedback_pipeline_tests.store.running import ROOT

SECONDS = 90


@dataclass
class Running:
    """A command under way; ``log`` is what it has written."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def children(self) -> dict[int, str]:
        """Return all processes below it with their command lines."""
        return {pid: _command_line(pid) for pid in descendants(self.process.pid)}


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Running]:
    """Run the command line with its data in ``folder``; whatever happened, nothing of it is left."""
    data = {"FEEDBACK_STORAGE_ROOT": str(folder / "data"), "FEEDBACK_HASH_KEY": "secret"}
    data["DAGSTER_HOME"] = str(folder / "dagster")
    log_file = folder / "log"
    with log_file.open("wb") as log:
        command = [sys.executable, "-m", "feedback_pipeline.cli", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **data, **environment}, stdout=log, stderr=log)
    try:
        yield Running(process, log_file)
    finally:
        for pid in {process.pid, *descendants(process.pid)}:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def wait_for(look: Callable[[], Any], what: str) -> Any:
    """Return what ``look`` finds as soon as it finds something."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except (httpx.HTTPError, KeyError, IndexError, TypeError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {SECONDS} seconds")


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid: int) -> set[int]:
    """Return all processes below ``pid``."""
    below: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            below |= {int(child), *descendants(int(child))}
    return below


def is_alive(pid: int) -> bool:
    """Tell whether the process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def all_gone(pids: Any) -> bool:
    """Tell whether none of the processes runs any more."""
    return not any(is_alive(pid) for pid in pids)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
