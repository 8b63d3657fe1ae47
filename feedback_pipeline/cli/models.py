"""``feedback-pipeline models``: what was trained elsewhere, noted so that an erasure can name it."""

from dataclasses import asdict
from typing import Annotated

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened

commands = typer.Typer(no_args_is_help=True, help="Note which models were trained on which datasets.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="models")


@commands.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="How you call the model.")],
    trained_on: Annotated[
        list[str], typer.Option("--trained-on", metavar="DATASET@VERSION", help="For example text2sql@v3; repeatable.")
    ],
    note: Annotated[str | None, typer.Option(help="Anything that helps to find it again.")] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Note that a model was trained on a dataset version. Noting it again changes nothing but the note."""
    from feedback_pipeline.finetune.catalog import ReleaseCatalog
    from feedback_pipeline.store import note_model

    if not name.strip():
        raise typer.BadParameter("must not be blank.", param_hint="NAME")
    with opened() as (settings, store):
        # Revoked versions too: that a model has seen one is worth knowing.
        releases = [ReleaseCatalog(settings.storage_root).look_up(reference) for reference in trained_on]
        note_model(store, name.strip(), [(release.name, release.version) for release in releases], note)
    versions = [f"{release.name}@v{release.version}" for release in releases]
    if as_json:
        output.print_json({"name": name.strip(), "trained_on": versions, "note": note})
        return
    output.say(f"noted: {name.strip()} was trained on {', '.join(versions)}")


@commands.command("list")
def list_all(as_json: output.JsonOption = False) -> None:
    """List the models that were noted."""
    from feedback_pipeline.store import list_models

    with opened() as (_, store):
        models = list_models(store)
    if as_json:
        output.print_json({"models": [asdict(model) for model in models]})
        return
    if not models:
        output.say("no model has been noted; 'feedback-pipeline models add' notes one")
        return
    rows = [(m.name, f"{m.dataset}@v{m.version}", m.noted_at, m.note) for m in models]
    output.print_table(["model", "trained on", "noted", "note"], rows)
