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
    """Make an earlier publication live again, at once. The next publish follows the verified feedback again.

    What users have taken back since, by withdrawing it or by opting out, is taken out again.
    """
    from feedback_pipeline.example_index.catalog import IndexCatalog
    from feedback_pipeline.example_index.promotion import no_longer_vouched_for
    from feedback_pipeline.example_index.removal import take_out
    from feedback_pipeline.store import ids_by_status

    with opened() as (settings, store):
        catalog = IndexCatalog(settings.storage_root)
        publication = catalog.rollback(version)
        taken_back = no_longer_vouched_for(store, catalog) & ids_by_status(store, "withdrawn")
        without = take_out(catalog, taken_back)
        strangers = len(no_longer_vouched_for(store, catalog))
    publication = without.publication if without else publication
    removed = without.removed if without else 0
    if strangers:
        output.warn(f"{strangers} feedback(s) in it are not verified any more, and are live again")
    if as_json:
        counts = {"no_longer_vouched_for": strangers, "examples_taken_out": removed}
        output.print_json({"live": asdict(publication), **counts})
        return
    if removed:
        output.say(f"taken out of version {version}, because users withdrew it or opted out: {removed:,} examples")
    output.say(f"index version {publication.version} is live: {publication.rows:,} examples")
    output.say("The next run publishes what is verified then; reject or withdraw what should stay out.")
