"""``feedback-pipeline dev``: the development servers."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from feedback_pipeline.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("dev")(dev)


def dev(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Serve the Dagster UI with the daemon, so that schedule and sensors are alive. Ctrl-C ends it."""
    from feedback_pipeline.defs.launch import dagster_home
    from feedback_pipeline.store import open_store

    settings = get_settings()
    open_store(settings).close()
    home = dagster_home(settings)
    location = ["-w", "workspace.yaml"] if Path("workspace.yaml").is_file() else ["-m", "feedback_pipeline.definitions"]
    typer.echo(f"Dagster UI on http://{host}:{port} (home {home})", err=True)
    command = [sys.executable, "-m", "dagster", "dev", *location, "-h", host, "-p", str(port)]
    # A shell script that puts this in the background makes it ignore Ctrl-C, and with that every wish to end it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.executable, command)  # noqa: S606 - the same interpreter, so that signals reach Dagster itself
