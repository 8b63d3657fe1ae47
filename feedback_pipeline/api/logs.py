"""How the server writes its log: one JSON document per line on stderr, without a word of what users said."""

import logging
import traceback
from types import TracebackType
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from feedback_pipeline.store import StoreUnavailableError

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

TOLD = (StoreUnavailableError,)
"""Errors whose text names what to do about them, and nothing that users wrote."""


class PrivateJsonFormatter(JsonFormatter):
    """Writes of exceptions where they happened and of which kind they are.

    Their texts quote what did not fit, which may be a question, a token or the parameters of a statement.
    """

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
            reserved_attrs=[*RESERVED_ATTRS, "color_message", "taskName"],
        )

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 - the name is logging's
        """Return frames and types of an exception and of those that led to it."""
        return "" if ei[1] is None else "\n".join(_described(ei[1]))


def _described(error: BaseException) -> list[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [*_described(earlier), "led to"] if earlier is not None else []
    frames = [
        line.rstrip("\n") for line in traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__)).format()
    ]
    told = f": {error}" if isinstance(error, TOLD) else ""
    return [*lines, *frames, f"{type(error).__module__}.{type(error).__qualname__}{told}"]


def log_config(level: int = logging.INFO) -> dict[str, Any]:
    """Return the configuration for uvicorn and, through it, for all loggers of the process."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "feedback_pipeline.api.logs.PrivateJsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "feedback_pipeline": {"level": level},
            "uvicorn": {"level": level},
            # It would write paths and query strings.
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }
