"""``feedback-pipeline status``: where things stand."""

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("status")(status)


def status(as_json: output.JsonOption = False) -> None:
    """Show feedback by status, the live index and the latest release of each dataset."""
    with opened() as (settings, store):
        from feedback_pipeline.overview import overview
        from feedback_pipeline.store import count_by_status

        counts, state = count_by_status(store), overview(settings)
    if as_json:
        output.print_json({"feedback": counts, **state.as_dict()})
        return
    output.print_table(["status", "feedback"], counts.items())
    output.say("")
    index = f"live version {state.index.version}, {state.index.rows:,} examples" if state.index else "nothing published"
    output.say(f"index    {index}")
    for release in state.releases:
        output.say(f"dataset  {release.name} v{release.version}, {sum(release.rows.values()):,} rows  {release.path}")
