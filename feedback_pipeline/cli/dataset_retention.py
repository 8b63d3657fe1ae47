"""``feedback-pipeline dataset pin``, ``unpin`` and ``prune``: which versions keep their data."""

from typing import TYPE_CHECKING, Annotated

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.finetune.catalog import Release

_Reference = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="For example text2sql@v2.")]


def register(dataset: typer.Typer) -> None:
    """Add the commands to the group ``dataset``."""
    for command in (pin, unpin, prune):
        dataset.command(command.__name__)(command)


def pin(
    reference: _Reference,
    reason: Annotated[str | None, typer.Option(help="Why, for who looks later.")] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Keep the data of a version, whatever its age."""
    from feedback_pipeline.finetune.catalog import ReleaseCatalog
    from feedback_pipeline.finetune.publishing import retention
    from feedback_pipeline.settings import get_settings

    catalog = ReleaseCatalog(get_settings().storage_root)
    release = retention.pin(catalog, reference, reason)
    pins = retention.pinned(catalog, release.name)
    if as_json:
        output.print_json({"name": release.name, "version": release.version, "pinned": list(pins)})
        return
    output.say(f"{release.name} v{release.version} is pinned; pinned versions: {_named(pins)}")


def unpin(reference: _Reference, as_json: output.JsonOption = False) -> None:
    """Let a version go with its age again; its data stays until the next run or 'dataset prune'."""
    from feedback_pipeline.finetune.catalog import ReleaseCatalog
    from feedback_pipeline.finetune.publishing import retention
    from feedback_pipeline.settings import get_settings

    catalog = ReleaseCatalog(get_settings().storage_root)
    release = catalog.look_up(reference)
    was_pinned = retention.unpin(catalog, f"{release.name}@v{release.version}")
    pins = retention.pinned(catalog, release.name)
    if as_json:
        document = {"name": release.name, "version": release.version, "was_pinned": was_pinned, "pinned": list(pins)}
        output.print_json(document)
        return
    done = "is no longer pinned" if was_pinned else "was not pinned"
    output.say(f"{release.name} v{release.version} {done}; pinned versions: {_named(pins)}")


def prune(
    name: Annotated[str, typer.Argument(help="The dataset, for example text2sql.")],
    keep: Annotated[
        int | None,
        typer.Option(min=0, help="How many of the newest keep their data; default: FEEDBACK_KEEP_DATASET_VERSIONS."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Remove the data of old versions: not of the newest, pinned ones, or those that models were trained on."""
    from feedback_pipeline.finetune.catalog import ReleaseCatalog
    from feedback_pipeline.finetune.publishing import retention
    from feedback_pipeline.store import list_models

    with opened() as (settings, store):
        protected = {model.version for model in list_models(store) if model.dataset == name}
        keep = settings.keep_dataset_versions if keep is None else keep
        catalog = ReleaseCatalog(settings.storage_root)
        going = [release.version for release in retention.surplus(catalog, name, keep, protected)]
        if not dry_run:
            going = retention.prune(catalog, name, keep, protected)
    _tell(name, catalog.releases(name), set(going), dry_run=dry_run, as_json=as_json)


def _tell(name: str, releases: "list[Release]", going: set[int], *, dry_run: bool, as_json: bool) -> None:
    size = sum(file["bytes"] for one in releases if one.version in going for file in one.manifest["files"])
    kept = [one.version for one in releases if not one.revoked and one.version not in going]
    if as_json:
        document = {"name": name, "retired": sorted(going), "kept": kept, "bytes": size, "dry_run": dry_run}
        output.print_json(document)
        return
    verb = "would lose their data" if dry_run else "lost their data"
    size_text = f" ({size:,} bytes)" if going else ""
    output.say(f"{name}: {verb}: {_named(sorted(going))}{size_text}; kept: {_named(kept)}")


def _named(versions: "list[int] | dict[int, str | None]") -> str:
    return ", ".join(f"v{version}" for version in versions) or "none"
