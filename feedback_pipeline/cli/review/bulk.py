"""``review verify --all-passing``: everything that passes is verified at once, and the rest is counted by reason."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline import policy

DEFAULT_REASON = "all checks passed"


def verify_all(
    *,
    actor: str,
    reason: str | None,
    database_id: str | None,
    include_flagged: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Verify all pending feedback that passes, and print what became of it. Raises StoreUnavailableError."""
    with opened() as (settings, store), _progress(hidden=as_json) as progress:
        from feedback_pipeline.policy import verify_passing
        from feedback_pipeline.review.permission import ReviewersWord
        from feedback_pipeline.store import Event

        why = (reason or "").strip() or DEFAULT_REASON
        report = verify_passing(
            store,
            settings,
            actor=actor,
            reason=why,
            database_id=database_id,
            include_flagged=include_flagged,
            dry_run=dry_run,
            permit=ReviewersWord(store, settings, Event.VERIFIED, reviewer=actor, reason=why),
            progress=progress,
        )
    if as_json:
        output.print_json(_document(report, dry_run))
    else:
        _print(report, dry_run)


def _document(report: "policy.BulkReport", dry_run: bool) -> dict[str, Any]:
    planned = [{"feedback_id": i, "outcome": "planned", "detail": None} for i in report.selected if dry_run]
    skipped = [{"feedback_id": i, "outcome": "skipped", "detail": why} for i, why in sorted(report.left_out.items())]
    made = [{"feedback_id": d.feedback_id, "outcome": d.outcome, "detail": d.detail} for d in report.decisions]
    decisions = [*planned, *made, *skipped]
    outcomes = Counter(decision["outcome"] for decision in decisions)
    return {
        "dry_run": dry_run,
        "outcomes": dict(sorted(outcomes.items())),
        "left_out": dict(_by_reason(report)),
        "unverifiable_by_execution": len(report.not_run),
        "decisions": decisions,
    }


def _print(report: "policy.BulkReport", dry_run: bool) -> None:
    if dry_run:
        output.say(f"would verify {len(report.selected):,}; nothing has been decided")
    else:
        done = sum(decision.outcome == "done" for decision in report.decisions)
        output.say(f"verified {done:,}")
    if report.not_run:
        output.say(f"unverifiable by execution, so only read: {len(report.not_run):,} of them")
    outcomes = Counter(decision.outcome for decision in report.decisions)
    if outcomes["noted"]:
        output.say(f"noted, and waiting for other reviewers to agree: {outcomes['noted']:,}")
    if outcomes["reserved"]:
        output.say(f"reserved by another reviewer: {outcomes['reserved']:,}")
    others = outcomes.total() - outcomes["done"] - outcomes["noted"] - outcomes["reserved"]
    if others:
        output.say(f"decided by someone else meanwhile: {others:,}")
    if report.left_out:
        output.say("")
        output.print_table(("left out because", "feedback"), _by_reason(report))


def _by_reason(report: "policy.BulkReport") -> list[tuple[str, int]]:
    return sorted(Counter(report.left_out.values()).items(), key=lambda item: (-item[1], item[0]))


@contextmanager
def _progress(*, hidden: bool) -> "Iterator[policy.Progress]":
    """Yield what shows progress on stderr; nothing is shown where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disable = hidden or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as shown:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done)

        yield report
