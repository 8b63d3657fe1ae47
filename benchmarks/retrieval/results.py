"""What was measured: durations side by side, and goals that are met or missed."""

import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

Durations = dict[str, list[float]]
"""Seconds of every call, by way."""


@dataclass(frozen=True)
class Goal:
    """One thing promised: ``value`` must not be above (or, ``at_least``, below) ``bound``."""

    name: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Tell whether it holds."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass
class Result:
    """One part of the measurement: durations, goals, and what else there is to say."""

    title: str
    durations: Durations = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON types, durations as p50 and p95."""
        timed = {
            name: {"calls": len(s), "p50_ms": round(p50(s) * 1000, 3), "p95_ms": round(p95(s) * 1000, 3)}
            for name, s in self.durations.items()
        }
        goals = [{**asdict(goal), "value": round(goal.value, 4), "met": goal.met} for goal in self.goals]
        return {"title": self.title, "durations": timed, "goals": goals, "notes": self.notes}

    def show(self, console: Console) -> None:
        """Print durations, goals and notes."""
        table = Table("way", "calls", "p50 ms", "p95 ms", title=self.title, title_justify="left")
        for name, seconds in self.durations.items():
            table.add_row(name, str(len(seconds)), f"{p50(seconds) * 1000:.2f}", f"{p95(seconds) * 1000:.2f}")
        console.print(table)
        for goal in self.goals:
            sign = "≥" if goal.at_least else "≤"
            verdict = "met" if goal.met else "[bold red]missed[/]"
            console.print(f"{goal.name}: {goal.value:.3g} (goal {sign} {goal.bound:g}) {verdict}")
        for note in self.notes:
            console.print(note, style="dim")
        console.print()


def in_turns(ways: Mapping[str, Callable[..., object]], questions: Iterable[tuple[Any, ...]]) -> Durations:
    """Ask every way each question in turn; return how long each call took.

    The order is another one each time: whoever is called next finds the processor's cache full of the last one's data.
    """
    seconds: Durations = {name: [] for name in ways}
    chance = random.Random(1)
    for question in questions:
        for name in chance.sample(sorted(ways), len(ways)):
            seconds[name].append(timed(ways[name], *question))
    return seconds


def timed(call: Callable[..., object], *arguments: Any) -> float:
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def p50(seconds: list[float]) -> float:
    return statistics.median(seconds)


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
