"""What building triplets costs as interactions grow: rows/s and peak memory, each size in a process of its own.

The interactions are made up and stored by day as the pipeline stores them; numbers decide every row.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from feedback_pipeline.reranker_ratings import judge_ratings
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.stages import StageTables

CHUNKS = 10
PASSAGES = 50_000
CHUNK_CHARS = 500
_ROWS_PER_DAY = 50_000
_QUESTION_CHARS = 60
_PER_QUESTION = 4
"""Interactions per distinct question, on average."""
_PER_USER = 20
_KNOWN = 30
"""Passages that any interaction about one question surfaces some of."""
_WORDS = [first + last for first in "bcdfghklmnprstvw" for last in ("ank", "ell", "ift", "oard", "ust", "ain", "ome")]


def measure(rows: int) -> None:
    """Print what a quarter, a half and all of ``rows`` interactions cost, all of them rated, with ten chunks each."""
    table = Table(
        *("interactions", "seconds", "CPU seconds", "interactions/s", "peak MB", "rows", "MB of rows"),
        title=f"Triplets from interactions with {CHUNKS} chunks of {CHUNK_CHARS} characters, {PASSAGES:,} passages",
        title_justify="left",
    )
    with tempfile.TemporaryDirectory(prefix="triplets-") as name:
        for size in (rows // 4, rows // 2, rows):
            found = _in_own_process(Path(name) / str(size), size)
            table.add_row(
                f"{size:,}",
                f"{found['seconds']:.1f}",
                f"{found['cpu_seconds']:.1f}",
                f"{size / found['seconds']:,.0f}",
                f"{found['peak_mb']:,.0f}",
                f"{found['rows']:,}",
                f"{found['written_mb']:,.0f}",
            )
    Console().print(table)


def write_interactions(root: str, rows: int, seed: int = 7) -> int:
    """Store made-up rated interactions as days of ``raw_interactions`` and return how many days these are."""
    tables, first_day = StageTables(root), date(2026, 1, 1)
    passages = pa.array(list(_texts(PASSAGES, CHUNK_CHARS, seed)))
    questions = pa.array(list(_texts(rows // _PER_QUESTION + 1, _QUESTION_CHARS, seed + 1)))
    firsts = range(0, rows, _ROWS_PER_DAY)
    for day, first in enumerate(firsts):
        chance = np.random.default_rng([seed, first])
        table = _interactions(first, min(_ROWS_PER_DAY, rows - first), questions, passages, chance)
        tables.write("raw_interactions", table, (first_day + timedelta(days=day)).isoformat())
    return len(firsts)


def _texts(count: int, chars: int, seed: int) -> Iterator[str]:
    chance = np.random.default_rng(seed)
    words = chars // 5
    for start in range(0, count, 10_000):
        for chosen in chance.integers(0, len(_WORDS), (min(10_000, count - start), words)).tolist():
            yield " ".join(_WORDS[word] for word in chosen)


def _interactions(
    first: int, count: int, questions: pa.Array, passages: pa.Array, chance: np.random.Generator
) -> pa.Table:
    question = chance.integers(0, len(questions), count)
    users = pa.array([f"{number:064x}" for number in range(first // _PER_USER + _ROWS_PER_DAY)])
    moment = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6) + (first + np.arange(count)) * 1_000_000
    times = pa.array(moment, pa.timestamp("us", tz="UTC"))
    nearby = np.argsort(chance.random((count, _KNOWN)), axis=1)[:, :CHUNKS]
    passage = (question[:, None] * 7_919 + nearby * 104_729) % PASSAGES
    rank = np.tile(np.arange(1, CHUNKS + 1, dtype=np.int32), count)
    in_scope = chance.random(count * CHUNKS) < 0.4
    chunk_fields = {
        "chunk_id": pa.array(passage.ravel()).cast(pa.string()),
        "text": passages.take(pa.array(passage.ravel())),
        "score": pa.array(1.0 / rank),
        "rank": pa.array(rank),
        "in_scope": pa.array(in_scope),
    }
    chunks = pa.StructArray.from_arrays(list(chunk_fields.values()), list(chunk_fields))
    return pa.table(
        {
            "interaction_id": pa.array(first + np.arange(count)),
            "kind": pa.array(["rag"] * count),
            "database_id": pa.array(["handbook", "tickets", None]).take(pa.array(question % 3)),
            "natural_query": questions.take(pa.array(question)),
            "output": pa.nulls(count, pa.string()),
            "model": pa.nulls(count, pa.string()),
            "user_hash": users.take(pa.array(chance.integers(0, len(users), count))),
            "feedback": pa.array(np.where(chance.random(count) < 0.6, 1, -1).astype(np.int8)),
            "feedback_reason": pa.array([None, "irrelevant", "tone"]).take(pa.array(chance.integers(0, 3, count))),
            "created_at": times,
            "rated_at": times,
            "chunks": pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32) * CHUNKS), chunks),
        }
    )


def _in_own_process(root: Path, rows: int) -> dict[str, Any]:
    _run("write", root, rows)
    found = _run("build", root, rows)
    shutil.rmtree(root)
    return found


def _run(step: str, root: Path, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.triplets", step, str(root), str(rows)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def _build(root: str) -> dict[str, Any]:
    """Do what the pipeline does each night: read all days, write rows, what was dropped and who has spoken."""
    started, cpu_started = time.perf_counter(), time.process_time()
    found = judge_ratings(Settings(storage_root=root))
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "written_mb": Path(found.stored.path).stat().st_size / 1e6,
        **{name: found.counts[name] for name in ("rows", "voices")},
    }


def _main(step: str, root: str, rows: int) -> None:
    found = {"days": write_interactions(root, rows)} if step == "write" else _build(root)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
