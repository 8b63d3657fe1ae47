"""``feedback-pipeline import``: files into the store."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.intake import ImportReport

SOME_ROWS_REJECTED = 3
DATABASES_NAMED = 5
MAX_SOURCE_CHARS = 100


class Kind(StrEnum):
    """What the rows of the files are."""

    CORRECTIONS = "corrections"
    INTERACTIONS = "interactions"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("import")(import_files)


def import_files(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files: .jsonl, .ndjson, .json, .csv (also .gz), .parquet.")
    ],
    kind: Annotated[Kind, typer.Option(help="What the rows are.")] = Kind.CORRECTIONS,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="Their column holds our field; may be repeated."),
    ] = None,
    source: Annotated[str, typer.Option(help="Where the rows come from; keys are unique within it.")] = "import",
    verify_as: Annotated[
        str | None, typer.Option(metavar="NAME", help="Verify, in this reviewer's name, all that pass the checks.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Import corrections or interactions; importing the same rows again stores them once.

    Exit codes: 0 all rows are in, 3 some were rejected (the report says where they are listed) or known
    with another content, 1 error.
    """
    files, columns = _files_and_mapping(paths, mapping or [])
    fields = _checked_mapping(kind, columns)
    _refuse_misuse(files, kind, source, verify_as)
    options: dict[str, Any] = {"source": source, "mapping": fields}
    if verify_as is not None:
        options["verify_as"] = verify_as.strip()
    report = _run(kind, files, options, as_json)
    _warn(report)
    output.print_json(report.as_dict()) if as_json else _summarise(report)
    if report.rejected or report.differing:
        raise typer.Exit(SOME_ROWS_REJECTED)


def _files_and_mapping(paths: list[str], mapping: list[str]) -> tuple[list[Path], list[str]]:
    """Tell files from further mappings: people write ``--map a=b c=d``."""
    further = [text for text in paths if _looks_like_mapping(text)]
    return [Path(text) for text in paths if text not in further], [*mapping, *further]


def _looks_like_mapping(text: str) -> bool:
    return "=" in text and not Path(text).exists() and not set(text) & {"/", "\\"}


def _checked_mapping(kind: Kind, texts: list[str]) -> dict[str, str]:
    from feedback_pipeline.intake.mapping import (
        CORRECTION_FIELDS,
        INTERACTION_FIELDS,
        ColumnMapping,
        MappingError,
        parse_mapping,
    )

    fields = CORRECTION_FIELDS if kind is Kind.CORRECTIONS else INTERACTION_FIELDS
    try:
        mapping = parse_mapping(texts)
        ColumnMapping(fields, mapping)
    except MappingError as error:
        raise typer.BadParameter(str(error), param_hint="--map") from error
    return mapping


def _refuse_misuse(files: list[Path], kind: Kind, source: str, verify_as: str | None) -> None:
    if not files:
        raise typer.BadParameter("name at least one file.", param_hint="PATH")
    if not source.strip() or len(source) > MAX_SOURCE_CHARS:
        raise typer.BadParameter(f"must be 1 to {MAX_SOURCE_CHARS} characters.", param_hint="--source")
    if verify_as is not None and not verify_as.strip():
        raise typer.BadParameter("must name a reviewer.", param_hint="--verify-as")
    if verify_as is not None and kind is Kind.INTERACTIONS:
        raise typer.BadParameter("interactions are rated, not verified.", param_hint="--verify-as")


def _run(kind: Kind, files: list[Path], options: dict[str, Any], as_json: bool) -> "ImportReport":
    from feedback_pipeline.intake import import_corrections, import_interactions

    run = import_corrections if kind is Kind.CORRECTIONS else import_interactions
    sizes = {path: path.stat().st_size for path in files if path.is_file()}
    with (
        output.bytes_progress(
            "importing" if "verify_as" not in options else "importing and checking", sum(sizes.values()), hidden=as_json
        ) as progress,
        opened() as (settings, store),
    ):
        on_progress = _progress_over(sizes, progress)
        return run(store, files, settings=settings, on_progress=on_progress, **options)


def _progress_over(sizes: dict[Path, int], progress: Any) -> Callable[[Path, int], None]:
    done = dict.fromkeys(sizes, 0)

    def on_progress(path: Path, offset: int) -> None:
        done[path] = offset
        progress.update(progress.task_ids[0], completed=sum(done.values()))

    return on_progress


def _warn(report: "ImportReport") -> None:
    if report.unregistered_databases:
        output.warn(_about_databases(dict(report.unregistered_databases)))
    if report.missing_columns:
        output.warn(f"no row has the mapped column(s) {', '.join(report.missing_columns)}: check the spelling.")
    if report.differing:
        output.warn(
            f"{report.differing:,} row(s) were known with another content; what is stored was kept. "
            "Give changed rows a new key to store them as well."
        )
    if report.rejected and report.kind == Kind.CORRECTIONS and {"kind", "chunks"} & set(report.ignored_fields):
        output.warn("the rows look like interactions: import those with --kind interactions.")


def _about_databases(counts: dict[str, int]) -> str:
    names = sorted(counts, key=lambda name: (-counts[name], name))
    named = ", ".join(names[:DATABASES_NAMED]) + (" …" if len(names) > DATABASES_NAMED else "")
    return (
        f"{len(names):,} database(s) are not registered, so names in the SQL cannot be checked: {named}. "
        f"Register each: feedback-pipeline databases add {names[0]} --dialect sqlite --url PATH_OR_URL"
    )


def _summarise(report: "ImportReport") -> None:
    rows = [(file.path.name, file.read, file.stored, file.already_known, file.rejected) for file in report.files]
    output.print_table(("file", "read", "stored", "already known", "rejected"), rows)
    if report.verified or report.not_verified:
        left = f"; still pending: {_counts(report.not_verified)}" if report.not_verified else ""
        output.say(f"verified: {report.verified:,}{left}")
    if report.ignored_fields:
        output.say(f"ignored columns: {', '.join(report.ignored_fields)}")
    if report.rejected_fields:
        output.say(f"rejected because of: {_counts(report.rejected_fields)}")
    if report.opted_out:
        output.say(f"not stored, because their users have opted out: {report.opted_out:,}")
    for path in report.rejects_paths:
        output.say(f"rejected rows are listed, with reasons, in {path}")
    if report.stored or report.verified:
        output.say(f"next: {_next_step(report)}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _next_step(report: "ImportReport") -> str:
    if report.kind == Kind.CORRECTIONS and not report.verified:
        return "feedback-pipeline review list, then feedback-pipeline run"
    return "feedback-pipeline run"
