"""``feedback-pipeline dataset``: the releases trainers pull."""

from typing import TYPE_CHECKING, Annotated

import typer

from feedback_pipeline.cli import output

if TYPE_CHECKING:
    from feedback_pipeline.finetune.catalog import Release

commands = typer.Typer(no_args_is_help=True, help="Look at the released datasets.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="dataset")


@commands.command("list")
def list_all(as_json: output.JsonOption = False) -> None:
    """List all versions of all datasets."""
    from feedback_pipeline.finetune.catalog import ReleaseCatalog
    from feedback_pipeline.settings import get_settings

    catalog = ReleaseCatalog(get_settings().storage_root)
    releases = [release for name in catalog.names() for release in catalog.releases(name)]
    if as_json:
        fields = ("name", "version", "path", "digest", "rows", "revoked")
        output.print_json({"datasets": [{field: getattr(release, field) for field in fields} for release in releases]})
        return
    if not releases:
        output.say("no dataset has been released yet; 'feedback-pipeline run' releases the first")
        return
    rows = [(f"{r.name}@v{r.version}", sum(r.rows.values()), r.digest[:12], _revoked(r), r.path) for r in releases]
    output.print_table(["dataset", "rows", "digest", "", "path"], rows)


@commands.command("show")
def show(
    reference: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="For example text2sql or text2sql@v2.")],
    as_json: output.JsonOption = False,
) -> None:
    """Show one version: where it lies, its manifest and how to load it."""
    from feedback_pipeline.finetune.catalog import ReleaseCatalog
    from feedback_pipeline.settings import get_settings

    release = ReleaseCatalog(get_settings().storage_root).look_up(reference)
    if as_json:
        output.print_json({"path": release.path, "manifest": release.manifest})
        return
    thresholds = ", ".join(f"{name} {value}" for name, value in release.manifest["thresholds"].items())
    fields = {
        "dataset": f"{release.name} v{release.version}",
        "path": release.path,
        "digest": release.digest,
        "rows": ", ".join(f"{split} {rows}" for split, rows in release.rows.items()),
        "thresholds": thresholds,
        "columns": ", ".join(release.manifest["schema"]),
        "load": f'datasets.load_dataset("{release.path}")',
    }
    if release.revoked:
        fields |= {"state": _revoked(release), "load": "its data files are gone"}
    output.print_fields(fields)


def _revoked(release: "Release") -> str:
    """Return why a version is revoked and what to take instead; blank where it is not."""
    if not release.revoked:
        return ""
    instead = release.revoked["replaced_by"]
    return f"revoked: {release.revoked['reason']}" + (f"; take v{instead} or later" if instead else "")
