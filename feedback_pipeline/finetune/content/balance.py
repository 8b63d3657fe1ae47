"""What a release is made of: how its rows spread over databases, SQL constructs, difficulty and contributors."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.finetune.content.difficulty import DIFFICULTIES, constructs, difficulties

BALANCED_BY = ("database_id", "sql_skeleton", "evidence", "weight", "contributors")

_LISTED = 50


@dataclass(frozen=True)
class Composition:
    """What rows are made of: the difficulty of each, where they have SQL, and counts as plain JSON types."""

    difficulty: pa.Array | None
    balance: dict[str, Any]


def made_of(rows: pa.Table) -> Composition:
    """Return what rows are made of; the largest databases are named, the others summed up.

    Args:
        rows: the columns BALANCED_BY, others are ignored.
    """
    shown = constructs(rows["sql_skeleton"])
    difficulty = difficulties(rows["sql_skeleton"], shown)
    hard = counts(difficulty)
    balance = {
        "databases": len(rows["database_id"].unique()),
        "by_database": largest(counts(rows["database_id"])),
        "by_construct": {name: int(mask.sum()) for name, mask in shown.items()},
        "by_difficulty": {name: hard.get(name, 0) for name in DIFFICULTIES},
        "by_evidence": counts(rows["evidence"]),
        "by_contributors": by_contributors(rows["contributors"].to_numpy()),
        "weight": round(float(np.sum(rows["weight"].to_numpy())), 6),
    }
    return Composition(difficulty, balance)


def counts(column: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    """Return how often each value of a column is there, in the order of the values."""
    counted = pc.value_counts(column).to_pylist()
    return {item["values"]: item["counts"] for item in sorted(counted, key=lambda item: item["values"])}


def largest(counted: dict[str, int]) -> dict[str, int]:
    """Return the largest counts by name, and the sum of the others as ``(others)``."""
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    others = sum(count for _, count in ranked[_LISTED:])
    return dict(ranked[:_LISTED]) | ({"(others)": others} if others else {})


def by_contributors(contributors: np.ndarray) -> dict[str, int]:
    """Return how many rows one, two, or more distinct users stand behind."""
    capped = np.bincount(np.minimum(contributors, 3), minlength=4)
    return {name: int(capped[number]) for number, name in ((1, "1"), (2, "2"), (3, "3 or more"))}
