"""``feedback-pipeline doctor``: is everything in order, and if not, what to do."""

from dataclasses import asdict

import typer

from feedback_pipeline.cli import output


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("doctor")(doctor)


def doctor(as_json: output.JsonOption = False) -> None:
    """Check settings, storage, store, model, index, releases and databases. Exit code 1 if something is wrong."""
    from feedback_pipeline.doctor import examine
    from feedback_pipeline.settings import get_settings

    findings = list(examine(get_settings()))
    if as_json:
        output.print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        output.print_table(["subject", "state", "finding"], [(f.subject, f.state, f.text) for f in findings])
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)
