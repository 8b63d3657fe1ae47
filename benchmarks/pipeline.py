"""The whole path by the command line, as a user would run it: import, run, 1 % more, run again."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import corpus as made_up

_COMMAND = [sys.executable, "-m", "feedback_pipeline.cli"]


@dataclass(frozen=True)
class Measured:
    """One command: wall time, peak resident memory of its largest process, and what it printed as JSON."""

    seconds: float
    peak_mib: float
    document: dict[str, Any]


def measure(rows: int, corpus: Path | None, mapping: list[str]) -> None:
    """Measure and print; everything happens below a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = corpus or made_up.write(root / "first.jsonl", rows)
        maps = [argument for item in mapping for argument in ("--map", item)]
        imported = _run(root, "import", str(first), "--verify-as", "bench", *maps)
        _print("first run", imported, _run(root, "run"))
        more = made_up.write(root / "more.jsonl", max(1, imported.document["read"] // 100), first=10_000_000)
        imported = _run(root, "import", str(more), "--verify-as", "bench")
        _print("after 1 % more rows", imported, _run(root, "run"))
        _print("nothing new", None, _run(root, "run"))


def _run(root: Path, *arguments: str) -> Measured:
    environment = {**os.environ, "FEEDBACK_STORAGE_ROOT": str(root / "data"), "DAGSTER_HOME": str(root / "dagster")}
    start = time.perf_counter()
    process = subprocess.Popen([*_COMMAND, *arguments, "--json"], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed: {output.decode()[:500]}")
    return Measured(seconds, usage.ru_maxrss / 1024, json.loads(output))


def _print(title: str, imported: Measured | None, ran: Measured) -> None:
    table = Table("step", "rows", "seconds", "rows/s", title=title, title_justify="left")
    if imported is not None:
        _add(table, "import, check, verify", imported.document["read"], imported.seconds)
    rows = {stage["stage"]: stage["rows"] for stage in ran.document["stages"]}
    for step, seconds in ran.document["seconds"].items():
        if step in rows:
            _add(table, step, rows[step], seconds)
    _add(table, "run, all in all", rows["raw_feedback"], ran.seconds)
    console = Console()
    console.print(table)
    peaks = [measured.peak_mib for measured in (imported, ran) if measured is not None]
    total = ran.seconds + (imported.seconds if imported else 0)
    console.print(f"{total:.1f} s in all; peak resident memory of one process {max(peaks):,.0f} MiB\n")


def _add(table: Table, step: str, rows: int, seconds: float) -> None:
    table.add_row(step, f"{rows:,}", f"{seconds:.1f}", f"{rows / max(seconds, 0.001):,.0f}")
