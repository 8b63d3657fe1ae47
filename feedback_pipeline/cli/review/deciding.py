"""Decisions about feedback: verify, reject, withdraw, supersede, reopen."""

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.feedback_ids import resolve_ids
from feedback_pipeline.cli.review.bulk import verify_all
from feedback_pipeline.cli.review.queue import DatabaseId
from feedback_pipeline.cli.session import default_reviewer, opened

if TYPE_CHECKING:
    from feedback_pipeline.settings import Settings
    from feedback_pipeline.store import Decision, Store

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
    for command in (verify, reject, withdraw, supersede, reopen):
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
        found, failed = resolve_ids(store, ids or [])
        failures = _check(store, settings, found)
        payload = {"override": True} if override else None
        decisions = [*_decide(store, found, "verified", reviewer, reason, payload), *failed]
    decisions = [_explained(decision, failures) for decision in decisions]
    _print_decisions(decisions, as_json)


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
    _decide_all(ids, "rejected", reviewer, reason, as_json)


def withdraw(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Withdraw feedback: whoever gave it wants it back."""
    _decide_all(ids, "withdrawn", reviewer, reason, as_json)


def supersede(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Supersede feedback: a newer answer to the same question takes its place."""
    _decide_all(ids, "superseded", reviewer, reason, as_json)


def reopen(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Reopen feedback: it waits for a decision again."""
    _decide_all(ids, "reopened", reviewer, reason, as_json)


def _decide_all(ids: list[str], event: str, reviewer: str | None, reason: str | None, as_json: bool) -> None:
    with opened() as (_, store):
        found, failed = resolve_ids(store, ids)
        decisions = [*_decide(store, found, event, reviewer, reason), *failed]
    _print_decisions(decisions, as_json)


def _decide(
    store: "Store",
    ids: list[str],
    event: str,
    reviewer: str | None,
    reason: str | None,
    payload: dict[str, Any] | None = None,
) -> "list[Decision]":
    from feedback_pipeline.store import decide

    return decide(store, ids, event, actor=_actor(reviewer), reason=reason, payload=payload)


def _actor(reviewer: str | None) -> str:
    return (reviewer or "").strip() or default_reviewer()


def _check(store: "Store", settings: "Settings", ids: list[str]) -> dict[str, str]:
    """Check what is pending and has no verdict of today; return which check each failed one failed, and why."""
    from feedback_pipeline.checking import check_and_record, checker_from
    from feedback_pipeline.store import Status, stored_submissions

    pending = stored_submissions(store, ids, status=Status.PENDING)
    checked = check_and_record(store, pending, checker_from(store, settings))
    rows = checked.select(["feedback_id", "failed_check", "checks"]).to_pylist()
    return {row["feedback_id"]: _failure(row["failed_check"], row["checks"]) for row in rows if row["failed_check"]}


def _failure(check: str, checks: str) -> str:
    detail = json.loads(checks)[check].get("detail")
    return f"{check}: {detail}" if detail else check


def _explained(decision: "Decision", failures: dict[str, str]) -> "Decision":
    """Say which check stands in the way, where the store only knows that one does."""
    if decision.outcome != "refused" or decision.feedback_id not in failures:
        return decision
    way_out = "Reject it, or verify it with --override and --reason."
    return replace(decision, detail=f"It fails the check {failures[decision.feedback_id]}. {way_out}")


def _print_decisions(decisions: "list[Decision]", as_json: bool) -> None:
    if as_json:
        output.print_json({"decisions": [asdict(decision) for decision in decisions]})
    else:
        output.print_table(("feedback", "outcome", "detail"), [(d.feedback_id, d.outcome, d.detail) for d in decisions])
    if any(decision.outcome in {"refused", "unknown"} for decision in decisions):
        raise typer.Exit(1)
