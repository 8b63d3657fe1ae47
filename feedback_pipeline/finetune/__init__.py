"""Fine-tuning datasets: immutable, versioned releases that a trainer can load and trust.

``content`` is what is in a release, ``catalog`` finds what is published, ``publishing`` writes versions and takes data
out of them, ``reading`` is the trainer's side, ``notice`` tells others.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedback_pipeline.finetune.reading.opened import open_release

__all__ = ["open_release"]


def __getattr__(name: str) -> Any:
    """Import what is exported when it is asked for: many need one module of this package, and no Arrow."""
    if name == "open_release":
        from feedback_pipeline.finetune.reading.opened import open_release

        return open_release
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
