"""How deduplication, clustering and the leakage check grow with the number of rows."""

import math
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import daft
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.corpus import corrections
from feedback_pipeline.curation.clustering import cluster_ids
from feedback_pipeline.curation.deduplication import deduplicate
from feedback_pipeline.finetune.publishing.leakage import measure_leakage
from feedback_pipeline.schemas import VERIFIED_FEEDBACK

_SIZES = (50_000, 100_000, 200_000, 400_000)
_REPEATS = 3


def measure() -> None:
    """Print the median time per size of each stage, and the exponent of its growth between smallest and largest."""
    seconds = {size: _median_seconds(size) for size in _SIZES}
    stages = list(seconds[_SIZES[0]])
    table = Table("rows", *stages, title="seconds by number of rows", title_justify="left")
    for size, durations in seconds.items():
        table.add_row(f"{size:,}", *(f"{durations[stage]:.2f}" for stage in stages))
    table.add_row("exponent", *(f"{_exponent([seconds[size][stage] for size in _SIZES]):.2f}" for stage in stages))
    Console().print(table)


def _exponent(durations: list[float]) -> float:
    return math.log(durations[-1] / durations[0]) / math.log(_SIZES[-1] / _SIZES[0])


def _median_seconds(size: int) -> dict[str, float]:
    rows = _verified(size)
    kept = deduplicate(daft.from_arrow(rows)).kept
    named = kept.append_column("row_id", kept["example_id"])
    splits = np.arange(kept.num_rows) % 10 // 8
    stages = {
        "deduplication with clustering": lambda: deduplicate(daft.from_arrow(rows)),
        "clustering": lambda: cluster_ids(kept),
        "leakage check": lambda: measure_leakage(named, splits),
    }
    return {stage: statistics.median(_seconds(run) for _ in range(_REPEATS)) for stage, run in stages.items()}


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _verified(size: int) -> pa.Table:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {
            "feedback_id": row["id"],
            "database_id": row["database_id"],
            "natural_query": row["natural_query"],
            "canonical_question": row["natural_query"].casefold(),
            "sql": row["corrected_sql"],
            "canonical_sql": row["corrected_sql"],
            "sql_skeleton": row["corrected_sql"].split("'", 1)[0],
            "generated_sql": None,
            "is_error_pair": False,
            "user_hash": None,
            "source": "bench",
            "created_at": moment,
            "verified_at": moment,
            "evidence": "parsed",
        }
        for row in corrections(size)
    ]
    return pa.Table.from_pylist(rows, VERIFIED_FEEDBACK)
