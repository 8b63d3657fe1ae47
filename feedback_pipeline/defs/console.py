"""What a run prints: one line per thing that matters, instead of every event."""

import logging
import sys

import dagster as dg
from dagster import DagsterEventType

_CONSEQUENCE = "Dependencies for step"
"""How Dagster's own remarks begin about steps that a failure, shown already, has kept from running."""


class _ConciseHandler(logging.StreamHandler):
    """Prints log calls of assets, each asset with rows and time, failed checks and failures."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._rows: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record, if it is worth one."""
        if line := self._line(record):
            self.stream.write(line + "\n")
            self.flush()

    def _line(self, record: logging.LogRecord) -> str | None:
        meta = getattr(record, "dagster_meta", {})
        event: dg.DagsterEvent | None = meta.get("dagster_event")
        if event is None:
            message = str(meta.get("orig_message", record.getMessage()))
            return f"  {message}" if record.levelno >= logging.INFO and not message.startswith(_CONSEQUENCE) else None
        return self._event_line(event)

    def _event_line(self, event: dg.DagsterEvent) -> str | None:
        step = str(event.step_key)
        if event.event_type is DagsterEventType.ASSET_MATERIALIZATION:
            rows = event.materialization.metadata.get("dagster/row_count")
            self._rows[step] = f"{rows.value or 0:,} rows" if isinstance(rows, dg.IntMetadataValue) else ""
        elif event.event_type is DagsterEventType.STEP_SUCCESS and step in self._rows:
            seconds = event.step_success_data.duration_ms / 1000
            return f"✓ {step:<20} {self._rows[step]:>14}  {seconds:6.1f} s"
        elif event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
            return _check_line(event)
        elif event.event_type is DagsterEventType.STEP_FAILURE:
            return f"✗ {event.message}"
        return None


def _check_line(event: dg.DagsterEvent) -> str | None:
    evaluation = event.asset_check_evaluation_data
    if evaluation.passed:
        return None
    return f"✗ check {evaluation.check_name} of {evaluation.asset_key.to_user_string()}: {evaluation.description}"


@dg.logger(config_schema=None, description="One line per finished step, log call and failed check.")
def concise_console(init_context: dg.InitLoggerContext) -> logging.Logger:
    """Return the console logger of all runs; it writes to stderr."""
    logger = logging.getLogger(f"feedback_pipeline.run.{id(init_context)}")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers = [_ConciseHandler()]
    return logger
