"""``python -m feedback_pipeline.cli``: the same as the command ``feedback-pipeline``."""

from feedback_pipeline.cli import app

app()
