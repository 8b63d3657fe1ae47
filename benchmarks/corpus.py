"""A made-up corpus: questions over some hundreds of databases, with SQL of a few shapes. The seed fixes every row."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

DATABASES = 300
_THINGS = ["player", "team", "episode", "river", "album", "driver", "station", "senator", "school", "stadium"]
_FACTS = ["score", "year", "position", "length", "title", "district", "country", "capacity", "result", "attendance"]
_PLACES = ["north", "south", "harbour", "old", "new", "upper", "lower", "royal", "central", "grand"]


def corrections(rows: int, seed: int = 7, first: int = 0) -> Iterator[dict[str, str]]:
    """Yield ``rows`` corrections, numbered from ``first``; the same arguments give the same rows."""
    chance = random.Random(f"{seed}:{first}")
    for number in range(first, first + rows):
        thing, fact, other = chance.choice(_THINGS), chance.choice(_FACTS), chance.choice(_FACTS)
        value = f"{chance.choice(_PLACES)} {chance.choice(_PLACES)} {chance.randrange(5_000)}"
        yield {
            "id": f"bench-{number}",
            "database_id": f"db_{chance.randrange(DATABASES):03d}",
            "natural_query": f"What is the {fact} of the {thing} whose {other} is {value}?",
            "corrected_sql": f"SELECT {fact} FROM {thing}s WHERE {other} = '{value}'",
        }


def write(path: Path, rows: int, first: int = 0) -> Path:
    """Write corrections as JSONL and return the path."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in corrections(rows, first=first))
    return path
