"""``feedback-pipeline index``: what has been published to agents, and going back."""

from dataclasses import asdict
from typing import Annotated

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened

commands = typer.Typer(no_args_is_help=True, help="Look at the example index, and roll it back.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="index")


@commands.command("list")
def list_all(as_json: output.JsonOption = False) -> None:
    """List all publications of the index; one is live."""
    from feedback_pipeline.example_index.catalog import IndexCatalog
    from feedback_pipeline.settings import get_settings

    catalog = IndexCatalog(get_settings().storage_root)
    live, publications, revoked = catalog.live(), catalog.publications(), catalog.revoked()
    if as_json:
        document = [{**asdict(publication), "live": publication == live} for publication in publications]
        gone = [{"version": one.publication.version, "reason": one.reason} for one in revoked]
        output.print_json({"publications": document, "live": live.version if live else None, "revoked": gone})
        return
    if not publications and not revoked:
        output.say("nothing has been published yet; 'feedback-pipeline run' publishes the first index")
        return
    rows = [
        (p.version, "live" if p == live else "", f"{p.rows:,}", p.digest[:12], p.model_fingerprint)
        for p in publications
    ]
    rows += [(one.publication.version, f"revoked: {one.reason}", "gone", "", "") for one in revoked]
    output.print_table(["version", "", "examples", "digest", "model"], sorted(rows))


@commands.command("rollback")
def rollback(
    version: Annotated[int, typer.Argument(help="A version from 'index list'.")],
    as_json: output.JsonOption = False,
) -> None:
    """Make an earlier publication live again, at once. The next publish follows the verified feedback again."""
    from feedback_pipeline.example_index.catalog import IndexCatalog
    from feedback_pipeline.example_index.promotion import no_longer_vouched_for

    with opened() as (settings, store):
        catalog = IndexCatalog(settings.storage_root)
        publication = catalog.rollback(version)
        strangers = len(no_longer_vouched_for(store, catalog))
    if strangers:
        output.warn(f"{strangers} feedback(s) in it are not verified any more, and are live again")
    if as_json:
        output.print_json({"live": asdict(publication), "no_longer_vouched_for": strangers})
        return
    output.say(f"index version {publication.version} is live: {publication.rows:,} examples")
    output.say("The next run publishes what is verified then; reject or withdraw what should stay out.")
