"""Axes that begin at zero (differences: as far below) and end at a round number, with ticks people would choose."""

import math
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60, 3_600, 86_400

_ROUND = (1, 2, 5, 10)
_ROUND_DURATIONS = (
    *(1, 5, 10, 30),
    *(MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE),
    *(HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR),
    *(DAY, 2 * DAY, 5 * DAY, 7 * DAY, 14 * DAY, 28 * DAY),
)
_FEWEST, _MOST = 2, 5


@dataclass(frozen=True)
class Axis:
    """Ticks from ``bottom`` to ``top``, each with its label."""

    top: float
    ticks: tuple[tuple[float, str], ...]
    bottom: float = 0.0


def amounts(largest: float) -> Axis:
    """Return an axis of whole numbers that reaches ``largest``, and 1 at least."""
    step = max(1, _round_up(max(largest, 1) / _MOST))
    return _axis(largest, step, _amount)


def numbers(largest: float) -> Axis:
    """Return an axis of plain numbers that reaches ``largest``, however small."""
    return _axis(largest, _round_up(max(largest, 1e-6) / _MOST), lambda value: f"{value:g}")


def fractions(largest: float = 1.0) -> Axis:
    """Return an axis of percentages that reaches ``largest``; the whole from 60 % on."""
    if largest > 0.6:
        return _axis(1.0, 0.25, _percent)
    step = max(0.01, _round_up(max(largest * 100, 1) / _MOST) / 100)
    return _axis(largest, step, _percent)


def signed_fractions(largest: float = 1.0) -> Axis:
    """Return an axis of percentages that reaches ``largest`` above and below zero."""
    upper = fractions(largest)
    above = [(value, f"+{label}") for value, label in upper.ticks[1:]]
    below = [(-value, f"−{label}") for value, label in reversed(upper.ticks[1:])]
    return Axis(upper.top, (*below, (0.0, "0"), *above), -upper.top)


def durations(largest_s: float) -> Axis:
    """Return an axis of seconds, minutes, hours or days that reaches ``largest_s``."""
    wanted = max(largest_s, 1) / _MOST
    step = next((step for step in _ROUND_DURATIONS if step >= wanted), None) or _round_up(wanted / DAY) * DAY
    unit, name = next(
        (unit, name) for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s")) if step >= unit
    )
    return _axis(largest_s, step, lambda value: f"{value / unit:g} {name}" if value else "0")


def _round_up(value: float) -> float:
    """Return the next number of the form 1, 2 or 5 times a power of ten."""
    magnitude = 10.0 ** math.floor(math.log10(value))
    return next(factor for factor in _ROUND if factor * magnitude >= value * (1 - 1e-9)) * magnitude


def _axis(largest: float, step: float, label) -> Axis:
    count = max(_FEWEST, math.ceil(largest / step - 1e-9))
    ticks = [round(number * step, 10) for number in range(count + 1)]
    return Axis(ticks[-1], tuple((tick, label(tick)) for tick in ticks))


def _amount(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1_000:g}k" if value >= 10_000 else f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{value * 100:g}%"
