"""Servers to send to, each in a process of its own: ours, and a bare one that does the least a peer would."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

SECRET = "a secret of the benchmark, long enough for HS256"
_START_S, _STOP_S = 60, 15


@contextmanager
def ours(root: str, database_url: str | None, *, triage: bool) -> Iterator[str]:
    """Serve ``root`` as ``feedback-pipeline serve`` does; yield the base URL."""
    environment = {
        "FEEDBACK_STORAGE_ROOT": root,
        "FEEDBACK_HASH_KEY": "benchmark",
        "FEEDBACK_JWT_SECRET": SECRET,
        "FEEDBACK_API_RATE_LIMIT": "1000000/second",
    }
    if database_url:
        environment["FEEDBACK_DATABASE_URL"] = database_url
    port = _free_port()
    command = ["-m", "feedback_pipeline.cli", "serve", "--port", str(port)]
    with _running([*command, *([] if triage else ["--no-triage"])], environment, port) as url:
        yield url


@contextmanager
def bare(root: str) -> Iterator[str]:
    """Serve one route that validates a body and inserts a row; yield the base URL."""
    port = _free_port()
    command = ["-m", "uvicorn", "benchmarks.api.bare:app", "--port", str(port), "--no-access-log"]
    with _running(command, {"BARE_FILE": f"{root}/bare.db"}, port) as url:
        yield url


@contextmanager
def _running(command: list[str], environment: dict[str, str], port: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, *command], env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it answered")
        try:
            httpx.get(f"{url}/healthz", timeout=1)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the server did not answer in time")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
