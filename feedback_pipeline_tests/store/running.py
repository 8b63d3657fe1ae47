"""Running code beside the test: in threads that start together, and in processes."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import feedback_pipeline
from feedback_pipeline.settings import Settings

ROOT = Path(feedback_pipeline.__file__).parents[1]


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Call all of ``calls`` at the same moment and return their results in order."""
    barrier = Barrier(len(calls))

    def call(function: Callable[[], Any]) -> Any:
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def start(code: str, settings: Settings) -> subprocess.Popen[str]:
    """Start Python on ``code`` in a process of its own, with ``settings`` in its environment."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FEEDBACK_STORAGE_ROOT": settings.storage_root,
        "FEEDBACK_DATABASE_URL": settings.store_url,
        "FEEDBACK_HASH_KEY": "secret",
    }
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, stdout=pipe, stderr=pipe)
