"""``feedback-pipeline review``: the queue of corrections, and what reviewers decide about them."""

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.feedback_ids import resolve_id, resolve_ids
from feedback_pipeline.cli.session import default_reviewer, opened

if TYPE_CHECKING:
    from feedback_pipeline.settings import Settings
    from feedback_pipeline.store import Decision, Store

ANY = "any"
STATUSES = ("pending", "verified", "rejected", "applied", "superseded", "stale", "withdrawn")
LISTED = (
    "feedback_id",
    "client_key",
    "status",
    "status_reason",
    "database_id",
    "natural_query",
    "generated_sql",
    "corrected_sql",
    "rating",
    "comment",
    "source",
    "checks",
    "created_at",
    "updated_at",
)

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Feedback ids, or their first 8 or more characters.")]
Reviewer = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who decides. [default: cli:USER]")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; kept in the history.")]

commands = typer.Typer(no_args_is_help=True, help="Look at corrections and decide about them.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="review")


@commands.command("list")
def list_queue(
    status: Annotated[str, typer.Option(help=f"One of {', '.join(STATUSES)}, or any.")] = "pending",
    database_id: Annotated[str | None, typer.Option(help="Only this database.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, oldest first.")] = 50,
    as_json: output.JsonOption = False,
) -> None:
    """List feedback, oldest first."""
    if status not in (*STATUSES, ANY):
        raise typer.BadParameter(f"{status!r} is none of {', '.join((*STATUSES, ANY))}.", param_hint="--status")
    with opened() as (_, store):
        from feedback_pipeline.store import list_feedback

        wanted = None if status == ANY else status
        found = list_feedback(store, status=wanted, database_id=database_id, limit=limit)
    if as_json:
        output.print_json({"feedback": [{name: row[name] for name in LISTED} for row in found]})
    elif not found:
        output.say("nothing to show" if status == ANY else f"no feedback is {status}")
    else:
        _print_queue(found)


@commands.command("show")
def show(
    feedback_id: Annotated[str, typer.Argument(metavar="ID", help="A feedback id, or its first characters.")],
    as_json: output.JsonOption = False,
) -> None:
    """Show one feedback with the evidence of its checks and its history."""
    with opened() as (_, store):
        from feedback_pipeline.store import get_feedback

        row = get_feedback(store, resolve_id(store, feedback_id))
    if as_json:
        output.print_json(row)
    else:
        _print_feedback(row)


@commands.command("verify")
def verify(
    ids: Ids,
    reviewer: Reviewer = None,
    override: Annotated[
        bool, typer.Option("--override", help="Verify although checks failed; needs --reason.")
    ] = False,
    reason: Reason = None,
    as_json: output.JsonOption = False,
) -> None:
    """Verify feedback: it is right and may be learned from. What has not been checked yet is checked first."""
    if override and not (reason or "").strip():
        raise typer.BadParameter("needs --reason: say why the failed checks do not count.", param_hint="--override")
    with opened() as (settings, store):
        found, failed = resolve_ids(store, ids)
        failures = _check(store, settings, found)
        payload = {"override": True} if override else None
        decisions = [*_decide(store, found, "verified", reviewer, reason, payload), *failed]
    decisions = [_explained(decision, failures) for decision in decisions]
    _print_decisions(decisions, as_json)


@commands.command("reject")
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


@commands.command("withdraw")
def withdraw(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Withdraw feedback: whoever gave it wants it back."""
    _decide_all(ids, "withdrawn", reviewer, reason, as_json)


@commands.command("supersede")
def supersede(ids: Ids, reason: Reason = None, reviewer: Reviewer = None, as_json: output.JsonOption = False) -> None:
    """Supersede feedback: a newer answer to the same question takes its place."""
    _decide_all(ids, "superseded", reviewer, reason, as_json)


@commands.command("reopen")
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

    actor = (reviewer or "").strip() or default_reviewer()
    return decide(store, ids, event, actor=actor, reason=reason, payload=payload)


def _check(store: "Store", settings: "Settings", ids: list[str]) -> dict[str, str]:
    """Check what is pending and has no verdict of today; return which check each failed one failed, and why."""
    from feedback_pipeline.checking import check_and_record, checker_from
    from feedback_pipeline.intake.stored import stored_submissions
    from feedback_pipeline.store import Status

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


def _print_queue(rows: list[dict[str, Any]]) -> None:
    output.print_table(
        ("feedback", "status", "database", "question", "answer", "checks"),
        [
            (
                row["feedback_id"],
                row["status"],
                row["database_id"],
                output.shortened(row["natural_query"]),
                output.shortened(row["corrected_sql"] or row["generated_sql"]),
                _checks_in_short(row["checks"]),
            )
            for row in rows
        ],
    )


def _checks_in_short(checks: dict[str, Any] | None) -> str:
    if checks is None:
        return "not yet"
    failed = checks.get("failed_check")
    return f"failed: {failed}" if failed else "passed"


def _print_feedback(row: dict[str, Any]) -> None:
    output.print_fields({name: row[name] for name in LISTED if name != "checks"})
    checks = row["checks"] or {}
    evidence = [(name, e["outcome"], e.get("detail")) for name, e in checks.items() if _is_outcome(e)]
    output.say("")
    output.print_table(("check", "outcome", "detail"), evidence) if evidence else output.say("not checked yet")
    output.say("")
    history = [(e["at"], e["event"], e["actor"], e["reason"]) for e in row["history"]]
    output.print_table(("at (UTC)", "event", "by", "reason"), history)


def _is_outcome(entry: Any) -> bool:
    return isinstance(entry, dict) and "outcome" in entry
