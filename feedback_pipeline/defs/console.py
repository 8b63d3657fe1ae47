"""What a run prints: one line per thing that matters, instead of every event."""

import logging
import sys

import dagster as dg
from dagster import DagsterEventType

_SHOWN_EVENTS = {DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_SUCCESS, DagsterEventType.RUN_FAILURE}


class _ConciseHandler(logging.StreamHandler):
    """Prints log calls of assets, finished steps, failed checks and failures."""

    def emit(self, record: logging.LogRecord) -> None:
        if line := _line(record):
            self.stream.write(line + "\n")
            self.flush()


def _line(record: logging.LogRecord) -> str | None:
    event = getattr(record, "dagster_meta", {}).get("dagster_event")
    if event is None:
        return f"  {record.getMessage()}" if record.levelno >= logging.INFO else None
    if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
        return _check_line(event)
    if event.event_type not in _SHOWN_EVENTS or "check" in str(event.step_key or ""):
        return None
    if event.event_type is DagsterEventType.STEP_SUCCESS:
        return f"✓ {event.step_key} ({event.step_success_data.duration_ms / 1000:.1f} s)"
    return f"✗ {event.message}"


def _check_line(event: dg.DagsterEvent) -> str | None:
    evaluation = event.asset_check_evaluation_data
    if evaluation.passed:
        return None
    return f"✗ check {evaluation.check_name} of {evaluation.asset_key.to_user_string()}: {evaluation.description}"


@dg.logger(description="One line per finished step, log call and failed check.")
def concise_console(init_context: dg.InitLoggerContext) -> logging.Logger:
    """Return the console logger of all runs; it writes to stderr."""
    logger = logging.getLogger(f"feedback_pipeline.run.{id(init_context)}")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers = [_ConciseHandler(sys.stderr)]
    return logger
