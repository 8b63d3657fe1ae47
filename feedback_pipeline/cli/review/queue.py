"""What waits for a decision: the list, one feedback whole, and questions whose answers contradict each other."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.feedback_ids import resolve_id
from feedback_pipeline.cli.review import evidence
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.curation.conflicts import Answer, Conflict
    from feedback_pipeline.settings import Settings
    from feedback_pipeline.store import Store

ANY = "any"
STATUSES = ("pending", "verified", "rejected", "applied", "superseded", "stale", "withdrawn")
BURST = "burst"
HARMFUL = "harmful"
"""Proposed for retirement."""
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
    "flags",
    "checks",
    "created_at",
    "updated_at",
)

DatabaseId = Annotated[str | None, typer.Option("--database-id", metavar="ID", help="Only this database.")]


def register(commands: typer.Typer) -> None:
    """Add the commands to ``commands``."""
    commands.command("list")(list_queue)
    commands.command("show")(show)
    commands.command("conflicts")(list_conflicts)


def list_queue(
    status: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(STATUSES)}, or any. [default: pending; with --retirement applied]"),
    ] = None,
    database_id: DatabaseId = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only what a person should look at.")] = False,
    conflicts: Annotated[bool, typer.Option("--conflicts", help="Only where answers contradict each other.")] = False,
    retirement: Annotated[
        bool, typer.Option("--retirement", help="Only what is proposed for retirement: answers are worse with it.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, oldest first.")] = 50,
    as_json: output.JsonOption = False,
) -> None:
    """List feedback, oldest first."""
    status = status or ("applied" if retirement else "pending")
    if status not in (*STATUSES, ANY):
        raise typer.BadParameter(f"{status!r} is none of {', '.join((*STATUSES, ANY))}.", param_hint="--status")
    wanted = None if status == ANY else status
    with opened() as (settings, store):
        from feedback_pipeline.policy import bursting_ids
        from feedback_pipeline.store import list_feedback

        bursts, harmful = bursting_ids(store, settings), _harmful(store)
        parts = [
            _flagged(store, wanted, database_id, bursts) if flagged else None,
            _rivals(store, settings, database_id) if conflicts else None,
            harmful if retirement else None,
        ]
        asked = [part for part in parts if part is not None]
        only = set.intersection(*asked) if asked else None
        found = list_feedback(store, status=wanted, database_id=database_id, limit=limit, only=only)
    rows = [_with_flags(row, bursts, harmful) for row in found]
    if as_json:
        output.print_json({"feedback": [{name: row[name] for name in LISTED} for row in rows]})
    elif not rows:
        nothing = bool(asked) or status == ANY
        output.say("nothing to show" if nothing else f"no feedback is {status}")
    else:
        _print_queue(rows)


def _flagged(store: "Store", status: str | None, database_id: str | None, bursts: set[str]) -> set[str]:
    from feedback_pipeline.store.queries import flagged_ids

    return flagged_ids(store, status=status, database_id=database_id) | bursts


def _harmful(store: "Store") -> set[str]:
    from feedback_pipeline.store.retirements import proposed_feedback

    with store.read() as session:
        return set(session.scalars(proposed_feedback()))


def _rivals(store: "Store", settings: "Settings", database_id: str | None) -> set[str]:
    from feedback_pipeline.policy import open_conflicts

    found = open_conflicts(store, settings, database_id=database_id)
    return {claim.feedback_id for conflict in found for rival in conflict.rivals for claim in rival.claims}


def _with_flags(row: dict[str, Any], bursts: set[str], harmful: set[str]) -> dict[str, Any]:
    flags = set((row["checks"] or {}).get("flags") or [])
    flags |= {name for name, ids in ((BURST, bursts), (HARMFUL, harmful)) if row["feedback_id"] in ids}
    return {**row, "flags": sorted(flags)}


def show(
    feedback_id: Annotated[str, typer.Argument(metavar="ID", help="A feedback id, or its first characters.")],
    as_json: output.JsonOption = False,
) -> None:
    """Show one feedback with the evidence of its checks and its history."""
    with opened() as (settings, store):
        from feedback_pipeline.policy import bursting_ids
        from feedback_pipeline.store import get_feedback

        row = get_feedback(store, resolve_id(store, feedback_id))
        row = _with_flags(row, bursting_ids(store, settings), _harmful(store))
        row["retirements"] = _retirements(store, row["feedback_id"])
    if as_json:
        output.print_json(row)
    else:
        _print_feedback(row)


def list_conflicts(database_id: DatabaseId = None, as_json: output.JsonOption = False) -> None:
    """List questions whose answers contradict each other, rivals side by side with their evidence.

    What is pending, verified or applied counts; what has not been checked yet is checked first, and rivals in use are
    run again, so that all evidence is of one moment. Answers that give the
    same rows are one. Choose by rejecting, or superseding, the others.
    """
    with opened() as (settings, store):
        from feedback_pipeline.policy import open_conflicts, renew_rivals

        renew_rivals(store, settings, database_id=database_id)
        found = open_conflicts(store, settings, database_id=database_id)
    if as_json:
        output.print_json({"conflicts": [_conflict_document(conflict) for conflict in found]})
    elif not found:
        output.say("no question has answers that contradict each other")
    else:
        for conflict in found:
            _print_conflict(conflict)


def _conflict_document(conflict: "Conflict") -> dict[str, Any]:
    database_id, question = conflict.question
    return {"database_id": database_id, "question": question, "rivals": [_rival(rival) for rival in conflict.rivals]}


def _rival(rival: "Answer") -> dict[str, Any]:
    from feedback_pipeline.review.conflicts import rival_of

    shown = rival_of(rival)
    return {
        "sql": shown.sql,
        "sqls": list(shown.sqls),
        "feedback_ids": list(shown.feedback_ids),
        "users": shown.users,
        "statuses": dict(shown.statuses),
        "flags": list(shown.flags),
        "result_digest": shown.result_digest,
        "execution": dict(shown.execution),
    }


def _print_conflict(conflict: "Conflict") -> None:
    database_id, question = conflict.question
    output.say(f"{database_id}: {question}")
    for number, rival in enumerate(map(_rival, conflict.rivals), start=1):
        given = (f"{feedback_id} ({status})" for feedback_id, status in rival["statuses"].items())
        digest = rival["result_digest"]
        fields = {
            f"answer {number}": rival["sql"],
            "same rows from": "\n".join(sql for sql in rival["sqls"] if sql != rival["sql"]) or None,
            "given in": ", ".join(given),
            "distinct users": rival["users"],
            "flags": ", ".join(rival["flags"]) or None,
            "result": evidence.in_short(rival["execution"], "corrected"),
            "result digest": digest and digest[:16],
        }
        output.print_fields({name: value for name, value in fields.items() if value is not None})
        evidence.print_difference(rival["execution"])
        output.say("")


def _print_queue(rows: list[dict[str, Any]]) -> None:
    output.print_table(
        ("feedback", "status", "database", "question", "answer", "checks", "results", "flags"),
        [
            (
                row["feedback_id"],
                row["status"],
                row["database_id"],
                output.shortened(row["natural_query"]),
                output.shortened(row["corrected_sql"] or row["generated_sql"]),
                _checks_in_short(row["checks"]),
                evidence.equality_in_short(row["checks"]),
                ", ".join(row["flags"]),
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
    shown = {name: row[name] for name in LISTED if name not in ("checks", "flags")}
    output.print_fields({**shown, "flags": ", ".join(row["flags"]) or None})
    output.say("")
    evidence.print_checks(row["checks"] or {})
    output.say("")
    _print_retirements(row["retirements"])
    history = [(e["at"], e["event"], e["actor"], e["reason"]) for e in row["history"]]
    output.print_table(("at (UTC)", "event", "by", "reason"), history)


def _retirements(store: "Store", feedback_id: str) -> list[dict[str, Any]]:
    from feedback_pipeline.store.retirements import proposals_of

    with store.read() as session:
        proposed = proposals_of(session, [feedback_id]).get(feedback_id, ())
    return [{"example_id": one.example_id, "proposed_at": one.proposed_at, **one.evidence} for one in proposed]


def _print_retirements(proposed: list[dict[str, Any]]) -> None:
    for one in proposed:
        output.say("proposed for retirement: answers are worse with this example than without it")
        output.print_table(
            ("example", "judged with it", "good", "judged without it", "good", "lift", "from", "to"),
            [
                (
                    one["example_id"],
                    *(one[name] for name in ("judged_with", "good_with", "judged_without", "good_without")),
                    *(f"{one[name]:+.3f}" for name in ("lift", "low", "high")),
                )
            ],
        )
        output.say("")
