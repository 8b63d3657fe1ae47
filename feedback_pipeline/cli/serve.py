"""``feedback-pipeline serve``: the HTTP interface, the pages of reviewers and the widget."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli.children import Companion, ourselves
from feedback_pipeline.cli.output import warn
from feedback_pipeline.settings import get_settings

if TYPE_CHECKING:
    from feedback_pipeline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer requests.")] = 1,
    triage: Annotated[bool, typer.Option(help="Keep the review queue checked and in order, beside serving it.")] = True,
) -> None:
    """Serve the HTTP interface and the review pages. Ctrl-C ends it when the requests under way are answered.

    On a loopback address a secret for development tokens is generated; on any other FEEDBACK_JWT_SECRET or
    FEEDBACK_JWT_JWKS_URL must be set.
    """
    from feedback_pipeline.api import server
    from feedback_pipeline.api.auth.signing import signing_keys

    settings, development = get_settings(), server.is_loopback(host)
    signing_keys(settings, development=development)
    with server.listen(host, port) as listening:
        _say_where(host, listening.getsockname()[1])
        _say_how_to_sign_in(settings)
        with _triage() if triage else nullcontext():
            server.run(settings, listening, workers=workers, development=development)
    typer.echo("The server has ended.", err=True)


def _say_where(host: str, port: int) -> None:
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    typer.echo(f"API on {address}, described at {address}/docs; review pages at {address}/review", err=True)


def _say_how_to_sign_in(settings: "Settings") -> None:
    from feedback_pipeline.api.auth.signing import key_file

    if settings.jwt_jwks_url:
        typer.echo("Tokens come from your identity provider (FEEDBACK_JWT_JWKS_URL).", err=True)
        return
    if settings.jwt_secret is None:
        typer.echo(
            f"No FEEDBACK_JWT_SECRET is set: tokens are signed with the generated {key_file(settings)}, on this "
            "machine alone.",
            err=True,
        )
    typer.echo("A token to sign in with: feedback-pipeline token --sub you --role reviewer", err=True)


def _triage() -> AbstractContextManager[Any]:
    command = ourselves("triage", "--follow", "--with-parent", str(os.getpid()))
    return Companion("The process that keeps the review queue in order", command, warn)
