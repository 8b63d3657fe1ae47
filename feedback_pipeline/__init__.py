"""Closes the loop between what users tell an AI product and what that product does next.

Read the package from top to bottom: ``store`` (system of record) and ``intake`` (what comes in), ``curation`` (pure
rules), ``example_index`` and ``finetune`` (what is published), ``retrieval`` (what agents call). ``defs`` wraps it all
for Dagster, ``cli`` for people.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedback_pipeline.finetune.reading.opened import open_release

__all__ = ["__version__", "open_release"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is exported when it is asked for: nothing heavy comes with the name of the package."""
    if name == "open_release":
        from feedback_pipeline.finetune.reading.opened import open_release

        return open_release
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
