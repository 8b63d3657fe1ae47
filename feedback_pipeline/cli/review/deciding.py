"""Decisions about feedback: verify, reject, withdraw, supersede, reopen; and keep what is proposed for retirement."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.feedback_ids import resolve_ids
from feedback_pipeline.cli.review.bulk import verify_all
from feedback_pipeline.cli.review.queue import DatabaseId
from feedback_pipeline.cli.session import default_reviewer, opened

if TYPE_CHECKING:
    from feedback_pipeline.review.deciding import Reviewed
    from feedback_pipeline.store import Decision

_IDS_HELP = "Feedback ids, or their first 8 or more characters."
Ids = Annotated[list[str], typer.Argument(metavar="ID…", help=_IDS_HELP)]
SomeIds = Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help=_IDS_HELP)]
Reviewer = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who decides. [default: cli:USER]")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; kept in the history.")]
Override = Annotated[bool, typer.Option("--override", help="Verify although checks failed; needs --reason.")]
AllPassing = Annotated[bool, typer.Option("--all-passing", help="Verify all that waits and passes, instead of IDs.")]
IncludeFlagged = Annotated[
    bool, typer.Option("--include-flagged", help="With --all-passing: also what is flagged or part of a burst.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --all-passing: decide nothing, say what would be.")]


def register(commands: typer.Typer) -> None:
    """Add the commands to ``commands``."""
    for command in (verify, reject, withdraw, supersede, reopen, keep):
        commands.command(command.__name__)(command)


def verify(
    ids: SomeIds = None,
    reviewer: Reviewer = None,
    override: Override = False,
    reason: Reason = None,
    all_passing: AllPassing = False,
    database_id: DatabaseId = None,
    include_flagged: IncludeFlagged = False,
    dry_run: DryRun = False,
    as_json: output.JsonOption = False,
) -> None:
    """Verify feedback: it is right and may be learned from. What has not been checked yet is checked first.

    With --all-passing everything is left out, and counted by reason, that a person should see: failed checks, flags,
    bursts of one user, answers that contradict each other or were rejected before, and ratings below
    FEEDBACK_MIN_RATING.
    """
    _require_one_way(ids, all_passing, override, only_in_bulk=bool(database_id) or include_flagged or dry_run)
    if all_passing:
        verify_all(
            actor=_actor(reviewer),
            reason=reason,
            database_id=database_id,
            include_flagged=include_flagged,
            dry_run=dry_run,
            as_json=as_json,
        )
        return
    if override and not (reason or "").strip():
        raise typer.BadParameter("needs --reason: say why the failed checks do not count.", param_hint="--override")
    with opened() as (settings, store):
        from feedback_pipeline.review import deciding

        found, failed = resolve_ids(store, ids or [])
        options = {"reviewer": _actor(reviewer), "reason": reason, "override": override}
        reviewed = deciding.verify(store, settings, found, **options)
    _print_decisions([*map(_document, reviewed), *map(_document, failed)], as_json)


def _require_one_way(ids: list[str] | None, all_passing: bool, override: bool, *, only_in_bulk: bool) -> None:
    if bool(ids) == all_passing:
        raise typer.BadParameter("give either ids or --all-passing.", param_hint="ID")
    if all_passing and override:
        raise typer.BadParameter("is for single ids: each failed check needs a look.", param_hint="--override")
    if only_in_bulk and not all_passing:
        message = "go with --all-passing only."
        raise typer.BadParameter(message, param_hint="--database-id, --include-flagged and --dry-run")


def reject(
    ids: Ids,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the history.")],
    reviewer: Reviewer = None,
    as_json: output.JsonOption = False,
) -> None:
    """Reject feedback: it is wrong and must not be learned from."""
    if not reason.strip():
        raise typer.BadParameter("must say why.", param_hint="--reason")
    _decide_all(ids, "reject", reviewer, reason, as_json)


def withdraw(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Withdraw feedback: whoever gave it wants it back."""
    with opened() as (_, store):
        from feedback_pipeline.store import decide

        found, failed = resolve_ids(store, ids)
        decisions = [*decide(store, found, "withdrawn", actor=_actor(reviewer), reason=reason), *failed]
    _print_decisions([_document(decision) for decision in decisions], as_json)


def supersede(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Supersede feedback: a newer answer to the same question takes its place."""
    _decide_all(ids, "supersede", reviewer, reason, as_json)


def reopen(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Reopen feedback: it waits for a decision again."""
    _decide_all(ids, "reopen", reviewer, reason, as_json)


def keep(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Keep what is proposed for retirement, until there is new evidence. To retire it, reject it."""
    with opened() as (_, store):
        from feedback_pipeline.review import retirement

        found, failed = resolve_ids(store, ids)
        reviewed = retirement.keep(store, found, reviewer=_actor(reviewer), reason=reason)
    _print_decisions([*map(_document, reviewed), *map(_document, failed)], as_json)


def _decide_all(ids: list[str], command: str, reviewer: str | None, reason: str | None, as_json: bool) -> None:
    with opened() as (settings, store):
        from feedback_pipeline.review import deciding

        found, failed = resolve_ids(store, ids)
        reviewed = getattr(deciding, command)(store, settings, found, reviewer=_actor(reviewer), reason=reason)
    _print_decisions([*map(_document, reviewed), *map(_document, failed)], as_json)


def _actor(reviewer: str | None) -> str:
    return (reviewer or "").strip() or default_reviewer()


def _document(decision: "Reviewed | Decision") -> dict[str, Any]:
    detail = decision.detail
    if decision.code == "checks_failed" and detail is not None:
        from feedback_pipeline.review.deciding import WAY_OUT

        detail = detail.replace(WAY_OUT, "Reject it, or verify it with --override and --reason.")
    return {"feedback_id": decision.feedback_id, "outcome": decision.outcome, "detail": detail}


def _print_decisions(decisions: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        output.print_json({"decisions": decisions})
    else:
        output.print_table(("feedback", "outcome", "detail"), [tuple(decision.values()) for decision in decisions])
    if any(decision["outcome"] in {"refused", "reserved", "unknown"} for decision in decisions):
        raise typer.Exit(1)
