"""What the tests of trainers share: how the loss of a run fell."""

from typing import Any

LOGGED = 5
"""Steps whose mean loss is taken, at the beginning and at the end."""


def losses(trainer: Any) -> list[float]:
    """Return the loss of each step that was logged."""
    return [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]


def first_and_last(trainer: Any) -> tuple[float, float]:
    """Return the mean loss of the first and of the last steps."""
    found = losses(trainer)
    return sum(found[:LOGGED]) / LOGGED, sum(found[-LOGGED:]) / LOGGED
