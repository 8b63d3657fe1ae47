"""``feedback-pipeline dev``: the development servers."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from feedback_pipeline.cli.children import ourselves, run_together
from feedback_pipeline.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("dev")(dev)


def dev(
    host: Annotated[str, typer.Option(help="Address the Dagster UI listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    api_port: Annotated[int, typer.Option(help="Port of the API, on 127.0.0.1.")] = 8000,
) -> None:
    """Serve the Dagster UI with its daemon, and the API with the review pages. Ctrl-C ends all of it.

    When one of the two ends, so does the other.
    """
    from feedback_pipeline.defs.launch import dagster_home
    from feedback_pipeline.store import open_store

    settings = get_settings()
    open_store(settings).close()
    home = dagster_home(settings)
    location = ["-w", "workspace.yaml"] if Path("workspace.yaml").is_file() else ["-m", "feedback_pipeline.definitions"]
    typer.echo(f"Dagster UI on http://{host}:{port} (home {home})", err=True)
    run_together(
        {
            "Dagster": [sys.executable, "-m", "dagster", "dev", *location, "-h", host, "-p", str(port)],
            "The API": ourselves("serve", "--host", "127.0.0.1", "--port", str(api_port)),
        }
    )
