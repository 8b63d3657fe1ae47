"""The measurements of releases as tables."""

import json
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.releases.examples import one_percent
from benchmarks.releases.examples import write_examples as write_here


def measure(rows: int, repeats: int, peer_rows: int) -> None:
    """Print what releasing ``rows`` rows costs beside its peers, how memory grows, and what small changes cost."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="releases-") as name:
        folder = Path(name)
        console.print(_against_pyarrow(folder, rows, repeats))
        console.print(_against_datasets(folder, peer_rows))
        console.print(_memory(folder, rows))
        console.print(_small_changes(folder, rows))


def _step(step: str, first: Path, second: Path, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.releases.steps", step, str(first), str(second), str(rows)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def write_examples(*arguments: Any) -> Path:
    """Write examples in a process of its own: what steps measure begins with the memory of this one."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(write_here, *arguments).result()


def _against_pyarrow(folder: Path, rows: int, repeats: int) -> Table:
    examples = write_examples(folder / "examples.parquet", range(rows))
    (folder / "peer").mkdir()
    pairs = []
    for repeat in range(repeats):
        ours = _step("publish", folder / f"root{repeat}", examples, rows)
        pairs.append((ours, _step("pyarrow", folder / f"root{repeat}", folder / "peer", rows)))
    ours, peer = (statistics.median(pair[side]["seconds"] for pair in pairs) for side in (0, 1))
    ratio = statistics.median(peer["seconds"] / ours["seconds"] for ours, peer in pairs)
    table = Table("", "seconds", "MB", "rows/s", "peak MB", title=f"Releasing {rows:,} rows, medians of {repeats}")
    table.add_row("this project, from stored examples to latest", *_cells(ours, pairs[0][0], rows))
    table.add_row("pyarrow, writing the same tables from memory", *_cells(peer, pairs[0][1], rows))
    table.add_row("rate beside pyarrow", f"{ratio:.2f}", "", "", "")
    return table


def _cells(seconds: float, found: dict[str, Any], rows: int) -> tuple[str, ...]:
    return f"{seconds:.1f}", f"{found['bytes'] / 1e6:,.0f}", f"{rows / seconds:,.0f}", f"{found['peak_mb']:,.0f}"


def _against_datasets(folder: Path, rows: int) -> Table:
    examples = write_examples(folder / "fewer.parquet", range(rows))
    ours, peer = (
        _step("publish", folder / "few", examples, rows),
        _step("datasets", examples, folder / "datasets", rows),
    )
    table = Table("", "seconds", "peak MB", title=f"Releasing {rows:,} rows beside datasets")
    for name, found in (("this project", ours), ("datasets", peer)):
        table.add_row(name, f"{found['seconds']:.1f}", f"{found['peak_mb']:,.0f}")
    table.add_row("times as fast", f"{peer['seconds'] / ours['seconds']:.1f}", "")
    return table


def _memory(folder: Path, rows: int) -> Table:
    table = Table("rows", "peak MB", title="Memory of a release")
    for count in (rows // 4, rows // 2, rows):
        examples = write_examples(folder / "growing.parquet", range(count))
        table.add_row(f"{count:,}", f"{_step('publish', folder / f'growing{count}', examples, count)['peak_mb']:,.0f}")
    return table


def _small_changes(folder: Path, rows: int) -> Table:
    """Release after 1 % new, 1 % changed and 1 % removed rows, each on top of the whole."""
    some = one_percent(rows, 7)
    few = frozenset(sorted(some)[: max(len(some) // 100, 1)])
    changes = {
        "1 % new rows": (range(rows + rows // 100), frozenset()),
        "1 % changed rows, scattered": (range(rows), some),
        "0.01 % changed rows, scattered": (range(rows), few),
        "1 % removed rows, scattered": ([number for number in range(rows) if number not in some], frozenset()),
    }
    table = Table(
        "after", "seconds", "share of a full release", "new bytes", title=f"The next version of {rows:,} rows"
    )
    before = write_examples(folder / "before.parquet", range(rows))
    for number, (name, (numbers, changed)) in enumerate(changes.items()):
        root = folder / f"changes{number}"
        full = _step("publish", root, before, rows)
        after = _step("publish", root, write_examples(folder / "after.parquet", numbers, changed), rows)
        share = 1 - after["reused_bytes"] / after["bytes"]
        table.add_row(name, f"{after['seconds']:.1f}", f"{after['seconds'] / full['seconds']:.2f}", f"{share:.1%}")
    return table
