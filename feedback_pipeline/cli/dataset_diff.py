"""``feedback-pipeline dataset diff``: which rows differ between two versions, and why."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.boundary import UserError
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.dataset_history import Cause
    from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
    from feedback_pipeline.finetune.reading.diff import Diff, RowDifference
    from feedback_pipeline.store import Store

    Told = dict[str, list[tuple[RowDifference, tuple[Cause, ...]]]]

ROWS_SHOWN = 20
_CAUSES_SHOWN = 3


def register(dataset: typer.Typer) -> None:
    """Add the command to the group ``dataset``."""
    dataset.command("diff")(diff)


def diff(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="For example text2sql or text2sql@v3.")],
    versions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERSION] [VERSION]",
            help="The earlier and the later version; default: the latest and the one before it.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help=f"How many rows of each kind; default: {ROWS_SHOWN}, with --json all."),
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Show which rows were added, removed, changed or moved between two versions, and which feedback explains it."""
    from feedback_pipeline.finetune.catalog import ReleaseCatalog
    from feedback_pipeline.finetune.reading.diff import KINDS, compare, differences
    from feedback_pipeline.settings import get_settings

    catalog = ReleaseCatalog(get_settings().storage_root)
    before, after = _versions(catalog, [name, *(versions or [])])
    found = compare(catalog, before, after)
    shown = limit if limit is not None or as_json else ROWS_SHOWN
    rows = {kind: differences(found, kind, shown) for kind in KINDS}
    told, has_store = _explained_if_reachable(found, rows)
    if as_json:
        output.print_json(_document(found, told, has_store=has_store))
    else:
        _say(found, told)


def _versions(catalog: "ReleaseCatalog", words: Sequence[str]) -> "tuple[Release, Release]":
    """Return the versions that ``NAME``, ``NAME v3``, ``NAME v3 v4`` or ``NAME@v3 NAME@v4`` mean."""
    name, *asked = _asked(words)
    if not asked:
        after = catalog.find(name)
        parent = after.manifest.get("parent")
        if parent is None:
            raise UserError(f"{name} v{after.version} is the first version: there is none before it to compare with")
        return catalog.find(f"{name}@v{parent['version']}"), after
    before, after = catalog.find(f"{name}@{asked[0]}"), catalog.find(f"{name}@{(*asked, 'latest')[1]}")
    if before.version > after.version:
        raise UserError(f"v{before.version} is later than v{after.version}; name the earlier version first")
    return before, after


def _asked(words: Sequence[str]) -> list[str]:
    """Return the name of the dataset and the versions that are named."""
    name, *_ = words[0].partition("@")
    versions = []
    for number, word in enumerate(words):
        own, has_version, version = word.partition("@")
        if (has_version or not number) and own != name:
            raise UserError(f"{words[0]} and {word} are versions of different datasets")
        if has_version or number:
            versions.append(version if has_version else word)
    if len(versions) > 2:
        raise UserError(f"two versions can be compared, not {len(versions)}: {', '.join(versions)}")
    return [name, *versions]


def _explained_if_reachable(found: "Diff", rows: "dict[str, list[RowDifference]]") -> "tuple[Told, bool]":
    """Return the rows with what explains them, and whether the store could be asked."""
    from feedback_pipeline.store import StoreUnavailableError

    try:
        with opened() as (_, store):
            return _explained(found, rows, store), True
    except StoreUnavailableError as error:
        output.warn(f"who decided what cannot be told: {error}")
    return _explained(found, rows, None), False


def _explained(found: "Diff", rows: "dict[str, list[RowDifference]]", store: "Store | None") -> "Told":
    from feedback_pipeline.dataset_history import explain

    every = [row for some in rows.values() for row in some]
    causes = iter(explain(found, every, store))
    return {kind: [(row, next(causes)) for row in some] for kind, some in rows.items()}


def _document(found: "Diff", told: "Told", *, has_store: bool) -> dict[str, Any]:
    sides = {side: getattr(found, side).release for side in ("before", "after")}
    return {
        "name": found.after.release.name,
        **{side: {"version": one.version, "digest": one.digest} for side, one in sides.items()},
        "counts": found.counts,
        "conditions": {name: {"before": old, "after": new} for name, (old, new) in found.conditions.items()},
        "has_store": has_store,
        **{kind: [_row_document(row, causes) for row, causes in some] for kind, some in told.items()},
    }


def _row_document(row: "RowDifference", causes: "Sequence[Cause]") -> dict[str, Any]:
    fields = {name: value for name, value in asdict(row).items() if name != "kind"}
    columns = {name: {"before": old, "after": new} for name, (old, new) in row.columns.items()}
    return {**fields, "columns": columns, "why": [asdict(cause) for cause in causes]}


def _say(found: "Diff", told: "Told") -> None:
    before, after, counts = found.before.release, found.after.release, found.counts
    numbers = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    output.say(f"{after.name} v{before.version} → v{after.version}: {numbers}")
    for name, (old, new) in found.conditions.items():
        output.say(_condition(name, old, new))
    for kind, some in told.items():
        if some:
            more = f" (the first {len(some):,} of {counts[kind]:,})" if len(some) < counts[kind] else ""
            output.print_table(_columns(found, kind), [_cells(row, causes) for row, causes in some], f"\n{kind}{more}")


def _condition(name: str, old: Any, new: Any) -> str:
    if name == "prompts":
        return "prompts: templates or schemas changed, so every config made with them was rendered anew"
    if name == "columns":
        gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
        return "columns: " + ", ".join([*(f"-{one}" for one in gone), *(f"+{one}" for one in come)] or ["other order"])
    return f"{name}: {old} → {new}"


def _columns(found: "Diff", kind: str) -> list[str]:
    what = ["what"] if kind in ("changed", "moved") else []
    return ["row", *found.kind.titles, *what, "why"]


def _cells(row: "RowDifference", causes: "Sequence[Cause]") -> list[Any]:
    texts = output.shortened(row.question), output.shortened(row.sql)
    return [row.row_id, row.database_id, *texts, *([_what(row)] if row.columns else []), _why(causes)]


def _what(row: "RowDifference") -> str:
    return "\n".join(f"{name}: {_value(old, new)} → {_value(new, old)}" for name, (old, new) in row.columns.items())


def _value(value: Any, other: Any) -> str | None:
    """Return a value in short; of a list what the other one does not have."""
    if isinstance(value, list):
        alone = len([one for one in value if one not in (other or ())])
        return f"{len(value)}" + (f" ({alone} not in the other)" if alone else "")
    return "none" if value is None else output.shortened(str(value), 40)


def _why(causes: "Sequence[Cause]") -> str:
    more = [f"and {len(causes) - _CAUSES_SHOWN} more"] if len(causes) > _CAUSES_SHOWN else []
    return "\n".join([*(_in_words(cause) for cause in causes[:_CAUSES_SHOWN]), *more])


def _in_words(cause: "Cause") -> str:
    who = f" by {cause.actor}" if cause.actor else ""
    when = f" on {cause.at.date().isoformat()}" if cause.at else ""
    which = f" (feedback {cause.feedback_id})" if cause.feedback_id else ""
    why = f": {output.shortened(cause.reason)}" if cause.reason else ""
    return f"{cause.text}{who}{when}{why}{which}"
