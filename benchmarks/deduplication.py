"""How deduplication and clustering grow with the number of rows."""

import math
import statistics
import time
from datetime import UTC, datetime

import daft
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.corpus import corrections
from feedback_pipeline.curation.deduplication import deduplicate
from feedback_pipeline.schemas import VERIFIED_FEEDBACK

_SIZES = (50_000, 100_000, 200_000, 400_000)
_REPEATS = 3


def measure() -> None:
    """Print the median time per size and the exponent of the growth between the smallest and the largest."""
    seconds = {size: _median_seconds(size) for size in _SIZES}
    table = Table("rows", "seconds", "rows/s", title="deduplication and clustering", title_justify="left")
    for size, duration in seconds.items():
        table.add_row(f"{size:,}", f"{duration:.2f}", f"{size / duration:,.0f}")
    console = Console()
    console.print(table)
    exponent = math.log(seconds[_SIZES[-1]] / seconds[_SIZES[0]]) / math.log(_SIZES[-1] / _SIZES[0])
    console.print(f"growth exponent {exponent:.2f}\n")


def _median_seconds(size: int) -> float:
    rows = _verified(size)
    durations = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        deduplicate(daft.from_arrow(rows))
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


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
        }
        for row in corrections(size)
    ]
    return pa.Table.from_pylist(rows, VERIFIED_FEEDBACK)
