"""Runs all parts on one index and prints what came of them."""

import json
from collections.abc import Callable

from rich.console import Console

from benchmarks.retrieval import cold_start, publishing, questions, under_load, vector_search
from benchmarks.retrieval.results import Result
from benchmarks.retrieval.world import World, world

PARTS: dict[str, Callable[[World], Result]] = {
    "vector": vector_search.measure,
    "questions": questions.measure,
    "cold": cold_start.measure,
    "load": under_load.measure,
    "publishing": publishing.measure,
}


def measure(rows: int, databases: int, *, parts: list[str] | None = None, as_json: bool = False) -> bool:
    """Measure ``rows`` examples over so many databases; return whether every goal was met."""
    console = Console(stderr=as_json)
    console.print(f"{rows:,} examples over {databases} databases")
    results = []
    with world(rows, databases) as made:
        for name in parts or PARTS:
            results.append(PARTS[name](made))
            results[-1].show(console)
    if as_json:
        document = {"rows": rows, "databases": databases, "parts": [result.as_dict() for result in results]}
        print(json.dumps(document, indent=2))
    return all(goal.met for result in results for goal in result.goals)
