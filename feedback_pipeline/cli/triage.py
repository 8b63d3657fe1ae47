"""``feedback-pipeline triage``: the review queue brought up to date, once or all the time."""

import json
import os
import signal
import threading
import time
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from feedback_pipeline.cli import output
from feedback_pipeline.cli.session import opened

if TYPE_CHECKING:
    from feedback_pipeline.review.triage import TriageReport

PAUSE_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("triage")(triage)


def triage(
    follow: Annotated[bool, typer.Option("--follow", help="Go on until ended; 'serve' starts this itself.")] = False,
    with_parent: Annotated[int | None, typer.Option("--with-parent", metavar="PID", hidden=True)] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Bring the review queue up to date: check what waits, and put first what is most worth a review.

    That is what is asked often, waits in numbers and passes its checks. With --follow one process per store does the
    work, others wait until it ends; with --json it then prints one line per round that did something.
    """
    if with_parent is not None:
        threading.Thread(target=_end_with_parent, args=(with_parent,), daemon=True).start()
    if follow:
        _follow(as_json)
        return
    with opened() as (settings, store):
        from feedback_pipeline.review.triage import triage as bring_up_to_date

        report = bring_up_to_date(store, settings)
    if as_json:
        output.print_json(asdict(report))
    else:
        _say(report)


def _follow(as_json: bool) -> None:
    # Everything is written in transactions, so nothing has to be tidied up: the quickest end is the best one.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Daft listens for Ctrl-C too. It passes the signal on to a handler, but not to the default action.
    signal.signal(signal.SIGINT, _end)
    from feedback_pipeline.review.following import follow
    from feedback_pipeline.settings import get_settings
    from feedback_pipeline.store import open_store

    settings = get_settings()
    tell = _print_line if as_json else _say
    follow(lambda: open_store(settings), settings, tell=tell, warn=output.warn, pause_s=PAUSE_S)


def _end_with_parent(parent: int) -> None:
    """End this process when the one that started it is gone, however it ended: nobody else would."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _print_line(report: "TriageReport") -> None:
    typer.echo(json.dumps(asdict(report)))


def _say(report: "TriageReport") -> None:
    output.say(
        f"checked {report.checked:,}; waiting {report.waiting:,}, of which {report.moved:,} got another place and "
        f"{report.in_conflict:,} are in conflict"
    )
