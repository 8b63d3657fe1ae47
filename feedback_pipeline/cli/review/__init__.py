"""``feedback-pipeline review``: the queue of corrections, and what reviewers decide about them.

``queue`` shows what waits and where answers contradict each other, ``deciding`` takes decisions about single feedbacks,
``bulk`` about all that pass at once; ``evidence`` is how the findings of the checks are shown.
"""

import typer

from feedback_pipeline.cli.review import deciding, queue

commands = typer.Typer(no_args_is_help=True, help="Look at corrections and decide about them.")

for module in (queue, deciding):
    module.register(commands)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="review")
