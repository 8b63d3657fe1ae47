"""``feedback-pipeline insights``: how well the loop works."""

from typing import TYPE_CHECKING, Annotated

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.insight import Utilisation


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("insights")(insights)


def insights(
    days: Annotated[int, typer.Option(min=1, max=730, help="So many UTC days, today included.")] = 90,
    database_id: Annotated[str | None, typer.Option(help="Only what belongs to this database.")] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Show how corrections are decided and used, and which mistakes come back; docs/insights.md explains it."""
    with opened() as (_, store):
        from feedback_pipeline.insight import utilisation

        numbers = utilisation(store, days=days, databases=None if database_id is None else frozenset({database_id}))
    if as_json:
        output.print_json(numbers.as_dict())
    else:
        _show(numbers)


def _show(numbers: "Utilisation") -> None:
    from feedback_pipeline.insight.words import headlines, in_words

    output.say(f"{numbers.first_day} to {numbers.last_day} (UTC)")
    output.say("")
    output.print_table(["", "", ""], ((one.label, one.value, one.note) for one in headlines(numbers)))
    output.say("")
    output.print_table(["status", "feedback now"], numbers.statuses.now.items())
    times = numbers.times
    rows = [
        (name, one.n, in_words(one.median_s), in_words(one.p90_s))
        for name, one in (("decision", times.to_decision), ("use", times.to_applied))
    ]
    output.say("")
    output.print_table(["from submission to", "feedback", "median", "90% within"], rows)
    if numbers.uses.top:
        output.say("")
        used = (
            (top.feedback_id, top.queries, top.last_used_at, top.database_id, output.shortened(top.question))
            for top in numbers.uses.top
        )
        output.print_table(["used most", "queries", "last", "database", "question"], used)
    if loads := [*numbers.reviewing.reviewers, *numbers.reviewing.automatic]:
        output.say("")
        output.print_table(
            ["who decides", "verified", "rejected", "noted"],
            ((load.actor, load.verified, load.rejected, load.noted) for load in loads),
        )
