"""The ``feedback-pipeline`` command, for people and for scripts.

One module per group of commands; each has ``register(app)``. What commands share stands beside them: ``output``
(tables, JSON), ``boundary`` (what becomes of errors), ``session`` (settings and store). Heavy libraries are
imported inside commands, so that ``--help`` answers at once.
"""

from typing import Annotated

import typer

from feedback_pipeline import __version__
from feedback_pipeline.cli import (
    databases,
    dataset,
    dataset_diff,
    dataset_retention,
    dev,
    doctor,
    erase,
    evaluate,
    importing,
    index,
    insights,
    mcp,
    model,
    models,
    opt_out,
    retrieve,
    review,
    run,
    serve,
    status,
    token,
    triage,
)
from feedback_pipeline.cli.boundary import ErrorBoundary

app = typer.Typer(
    name="feedback-pipeline",
    cls=ErrorBoundary,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"feedback-pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn what users say about AI answers into verified examples, training data and a better reranker."""


for module in (
    importing,
    databases,
    review,
    triage,
    run,
    status,
    insights,
    retrieve,
    evaluate,
    dataset,
    index,
    model,
    models,
    opt_out,
    erase,
    doctor,
    serve,
    mcp,
    token,
    dev,
):
    module.register(app)

dataset_retention.register(dataset.commands)
dataset_diff.register(dataset.commands)
