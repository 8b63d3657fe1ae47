"""Processes that a command starts and takes with it when it ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from feedback_pipeline.cli.boundary import UserError

LOOK_EVERY_S = 0.2
GRACE_S = 45.0
"""Dagster lets its own children finish first."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0
_ENDED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ChildEndedError(UserError):
    """A process ended that should have gone on; the text names it."""


def ourselves(*arguments: str) -> list[str]:
    """Return how to start this command line in a process of its own."""
    return [sys.executable, "-m", "feedback_pipeline.cli", *arguments]


def run_together(commands: Mapping[str, Sequence[str]]) -> None:
    """Run all commands until SIGINT, SIGTERM or SIGHUP, or until one of them ends; then end the others.

    Each is in a process group of its own, so that Ctrl-C comes here alone and each hears of it once: a second signal
    would interrupt how it ends its own children.

    Raises:
        ChildEndedError: one ended by itself.

    """
    wanted = threading.Event()
    former = {number: signal.signal(number, _setter(wanted)) for number in _ENDED_BY}
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            children[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
        ended = _first_ended(children, wanted)
    finally:
        _end(list(children.values()))
        for number, handler in former.items():
            signal.signal(number, handler)
    if ended is not None:
        code = children[ended].returncode
        raise ChildEndedError(f"{ended} ended (exit code {code}); what it says stands above. The rest was ended too.")


def _setter(event: threading.Event) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: event.set()


def _first_ended(children: Mapping[str, subprocess.Popen[bytes]], wanted: threading.Event) -> str | None:
    while not wanted.wait(LOOK_EVERY_S):
        for name, child in children.items():
            if child.poll() is not None:
                return name
    return None


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask all to end at once, and after the grace period end whatever is left of them."""
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
    deadline = time.monotonic() + GRACE_S
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
        _end_group(child.pid)


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


class Companion:
    """A process that goes on beside a command and is started again when it ends by itself.

    Args:
        name: what to call it.
        command: how to start it.
        tell: is given a line when it has ended by itself.

    """

    def __init__(self, name: str, command: Sequence[str], tell: Callable[[str], None]):
        self._name, self._command, self._tell = name, command, tell
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)

    def __enter__(self) -> "Companion":
        """Start it."""
        self._child = self._started()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End it, and wait until it is gone."""
        self._stopping.set()
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
        self._thread.join(GRACE_S)
        if self._child is not None and self._child.poll() is None:
            self._child.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdin=subprocess.DEVNULL)

    def _keep(self) -> None:
        pause = FIRST_PAUSE_S
        while self._child is not None:
            begun = time.monotonic()
            code = self._child.wait()
            # One that has worked for a while is not what fails again and again.
            pause = FIRST_PAUSE_S if time.monotonic() - begun > LONGEST_PAUSE_S else pause
            if self._stopping.wait(FIRST_PAUSE_S if code in (-signal.SIGINT, 130) else 0.1):
                return
            self._tell(f"{self._name} ended (exit code {code}) and is started again in {pause:.0f} s")
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE_S)
            self._child = self._started()
