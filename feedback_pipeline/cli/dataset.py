"""``feedback-pipeline dataset``: the releases trainers pull."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output

if TYPE_CHECKING:
    from feedback_pipeline.finetune.catalog import Release
    from feedback_pipeline.finetune.reading.pull import PullResult
    from feedback_pipeline.finetune.reading.verify import CheckReport

FEWEST_EXAMPLES = 10
"""OpenAI refuses training files with fewer."""

ReferenceArgument = Annotated[
    str, typer.Argument(metavar="NAME[@VERSION]", help="For example text2sql or text2sql@v2.")
]
SourceOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="ROOT", help="Storage root: folder, s3://… or http(s)://…; default: the configured."
    ),
]


class Format(StrEnum):
    """What an export is for."""

    OPENAI = "openai"
    OPENAI_PREFERENCE = "openai-preference"


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
def show(reference: ReferenceArgument, as_json: output.JsonOption = False) -> None:
    """Show one version: where it lies, its manifest and how to load it."""
    from feedback_pipeline.finetune.catalog import ReleaseCatalog
    from feedback_pipeline.settings import get_settings

    release = ReleaseCatalog(get_settings().storage_root).look_up(reference)
    if as_json:
        output.print_json({"path": release.path, "manifest": release.manifest})
        return
    fields = _fields(release)
    if release.revoked:
        fields |= {"state": _revoked(release), "load": "its data files are gone"}
    output.print_fields(fields)


@commands.command("pull")
def pull(
    reference: ReferenceArgument,
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="A folder: new, empty, or pulled into before.")],
    source: SourceOption = None,
    configs: Annotated[
        list[str] | None, typer.Option("--config", metavar="CONFIG", help="Only this config; may be repeated.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Bring a version into a folder and verify it; calling again continues, repairs or updates."""
    from feedback_pipeline.finetune.reading.pull import pull as pull_files

    with _progress("pulling", hidden=as_json) as progress:
        result = pull_files(_root(source), reference, destination, configs=configs or None, progress=progress)
    output.print_json(asdict(result)) if as_json else _say_pulled(result)


@commands.command("check")
def check(
    target: Annotated[
        str,
        typer.Argument(metavar="NAME[@VERSION]|PATH|URL", help="A released version, or where one lies."),
    ],
    source: SourceOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """Verify every file, the row counts and the digest of a version. Exit code 1 where anything is wrong."""
    from feedback_pipeline.finetune.reading.locate import locate
    from feedback_pipeline.finetune.reading.verify import check_release

    path = target if _is_place(target) else locate(_root(source), target).path
    with _progress("checking", hidden=as_json) as progress:
        report = check_release(path, progress=progress)
    output.print_json({**asdict(report), "whole": report.whole}) if as_json else _say_checked(report)
    if not report.whole:
        raise typer.Exit(1)


@commands.command("export")
def export(
    reference: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]|PATH", help="A released version, or a folder pulled into.")
    ],
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to write into.")],
    to: Annotated[Format, typer.Option("--format", help="What the files are for.")] = Format.OPENAI,
    source: SourceOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """Write a version as JSON Lines for OpenAI's fine-tuning, one file per split."""
    from feedback_pipeline.finetune.reading.export import ExportFormat
    from feedback_pipeline.finetune.reading.export import export as export_files
    from feedback_pipeline.finetune.reading.opened import open_release

    files = export_files(open_release(_place_or_name(reference), root=source), destination, ExportFormat(to))
    if as_json:
        output.print_json({"files": [asdict(file) for file in files]})
    else:
        output.print_table(["file", "split", "rows"], [(file.path, file.split, file.rows) for file in files])
    for file in files:
        if file.split == "train" and file.rows < FEWEST_EXAMPLES:
            output.warn(f"{file.path} has {file.rows} rows; OpenAI takes no fewer than {FEWEST_EXAMPLES}")


def _fields(release: "Release") -> dict[str, Any]:
    manifest = release.manifest
    configs = manifest.get("configs") or {"default": {"rows": release.rows, "schema": manifest["schema"]}}
    thresholds = ", ".join(f"{name} {value}" for name, value in manifest["thresholds"].items())
    fields = {
        "dataset": f"{release.name} v{release.version}",
        "path": release.path,
        "digest": release.digest,
        "rows": ", ".join(f"{split} {rows}" for split, rows in release.rows.items()),
        "thresholds": thresholds,
        "columns": ", ".join(configs["default"]["schema"]),
        "load": f'datasets.load_dataset("{release.path}")',
    }
    if len(configs) > 1:
        fields["configs"] = ", ".join(f"{name} {sum(config['rows'].values())}" for name, config in configs.items())
    return fields


def _revoked(release: "Release") -> str:
    """Return why a version is revoked and what to take instead; blank where it is not."""
    if not release.revoked:
        return ""
    instead = release.revoked["replaced_by"]
    return f"revoked: {release.revoked['reason']}" + (f"; take v{instead} or later" if instead else "")


def _root(source: str | None) -> str:
    from feedback_pipeline.settings import get_settings

    if source is None:
        return get_settings().storage_root
    return source if "://" in source else str(Path(source).expanduser().resolve())


def _is_place(target: str) -> bool:
    return "/" in target or Path(target).is_dir()


def _place_or_name(reference: str) -> str:
    return str(Path(reference).expanduser().absolute()) if _is_place(reference) else reference


@contextmanager
def _progress(title: str, *, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    with output.bytes_progress(title, 0, hidden=hidden) as progress:
        yield lambda done, total: progress.update(progress.task_ids[0], completed=done, total=total)


def _say_pulled(result: "PullResult") -> None:
    what = f"{result.name} v{result.version}"
    if not result.downloaded and not result.reused:
        output.say(f"{what} is in {result.path} already: {result.kept} files verified, nothing transferred")
    else:
        output.say(
            f"{what} is in {result.path}: {result.downloaded} files downloaded ({result.downloaded_bytes:,} bytes), "
            f"{result.reused} reused, {result.kept} kept"
        )
    output.say(f'load it: feedback_pipeline.open_release("{result.path}").load({_first_config(result)})')


def _first_config(result: "PullResult") -> str:
    return f'"{result.configs[0]}"' if result.configs else ""


def _say_checked(report: "CheckReport") -> None:
    what = f"{report.name} v{report.version} in {report.path}"
    if not report.whole:
        output.print_table(
            ["file", "problem", "way out"], [(item.path, item.problem, item.remedy) for item in report.problems]
        )
        output.say(f"{what} is damaged: {len(report.problems)} problems")
        return
    left = "" if report.digest_checked else "; the digest was not computed"
    left += "" if report.listed else "; unknown files could not be looked for, since folders cannot be listed there"
    output.say(f"{what} is whole: {report.files} files, {report.bytes:,} bytes{left}")
