"""Checks with evidence, on real corrections: parse, resolve names, run both sides and compare.

The peer is the plain way: one row after the other, both queries through Python's sqlite3, no limits, rows compared as
sorted lists. It reads no SQL, redacts nothing and explains nothing.
"""

import json
import resource
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from feedback_pipeline.checking import ExecutingChecker, limits_of, run_as_evidence
from feedback_pipeline.curation.check_tables import check_submissions
from feedback_pipeline.curation.verdicts import DatabaseFacts
from feedback_pipeline.execution import Target
from feedback_pipeline.schemas import SUBMISSIONS
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.schema_reading import fingerprint, schema_from_url, url_of

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def measure(corpus: Path, databases: Path, verdict_field: str | None, repeats: int = 3) -> None:
    """Measure and print. ``databases`` holds one ``<db_id>.sqlite`` per database.

    ``verdict_field`` names a field of the corpus that says true, false or null about equal results; where our verdict
    differs, the cases are counted by reason.
    """
    rows = list(_read(corpus))
    checker, table = _checker(databases), _submissions(rows)
    checked, ours = _median(lambda: run_as_evidence(check_submissions(table, checker), checker), repeats)
    peer_rows = [row for row in rows if (databases / f"{row['db_id']}.sqlite").exists()]
    _, peer = _median(lambda: [_plainly(row, databases) for row in peer_rows], repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console = Console()
    console.print(_speed(len(rows), ours, len(peer_rows), peer, peak))
    console.print(_outcomes(checked))
    if verdict_field:
        console.print(_agreement(rows, checked, verdict_field))


def _read(corpus: Path) -> Iterable[dict[str, Any]]:
    with fsspec.open(str(corpus), "rt", compression="infer") as file:
        yield from map(json.loads, file)


def _checker(folder: Path) -> ExecutingChecker:
    facts, targets = {}, {}
    for path in sorted(folder.glob("*.sqlite")):
        url, name = url_of(str(path)), path.stem
        schema = schema_from_url(name, url)
        facts[name] = DatabaseFacts(name, "sqlite", True, schema, fingerprint(schema, "sqlite"), executable=True)
        targets[name] = Target(name, "sqlite", url)
    return ExecutingChecker(facts, "sqlite", targets, limits_of(Settings()))


def _submissions(rows: list[dict[str, Any]]) -> pa.Table:
    submitted = [
        {
            "feedback_id": f"{number:08d}",
            "database_id": row["db_id"],
            "natural_query": row["natural_query"],
            "generated_sql": row["generated_sql"],
            "corrected_sql": row["corrected_sql"],
            "source": "bench",
            "created_at": _MOMENT,
        }
        for number, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(submitted, SUBMISSIONS)


def _median(work: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    times, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return result, sorted(times)[len(times) // 2]


def _plainly(row: dict[str, Any], databases: Path) -> bool | None:
    with closing(sqlite3.connect(f"file:{databases / row['db_id']}.sqlite?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        try:
            results = [connection.execute(row[name]).fetchall() for name in ("generated_sql", "corrected_sql")]
        except sqlite3.Error:
            return None
    return sorted(map(repr, results[0])) == sorted(map(repr, results[1]))


def _speed(rows: int, ours: float, peer_rows: int, peer: float, peak_mib: float) -> Table:
    table = Table(
        "", "rows", "median s", "rows/s", title="parse, resolve, run both sides, compare", title_justify="left"
    )
    table.add_row("feedback_pipeline", f"{rows:,}", f"{ours:.1f}", f"{rows / ours:,.0f}")
    table.add_row("plain sqlite3, runs only", f"{peer_rows:,}", f"{peer:.1f}", f"{peer_rows / peer:,.0f}")
    table.caption = f"ratio {ours / rows / (peer / peer_rows):.2f}; peak resident memory {peak_mib:,.0f} MiB"
    return table


def _outcomes(checked: pa.Table) -> Table:
    table = Table("check", "outcome", "rows", title="outcomes", title_justify="left")
    counts: Counter[tuple[str, str]] = Counter()
    for text in checked["checks"].to_pylist():
        evidence = json.loads(text)
        counts.update((name, found["outcome"]) for name, found in evidence.items() if _is_outcome(found))
        counts[("execution.results_equal", json.dumps(evidence["results_equal"]))] += 1
        counts.update(("flags", flag) for flag in evidence["flags"])
    for (name, outcome), count in sorted(counts.items()):
        table.add_row(name, outcome, f"{count:,}")
    return table


def _is_outcome(entry: Any) -> bool:
    return isinstance(entry, dict) and "outcome" in entry


def _agreement(rows: list[dict[str, Any]], checked: pa.Table, field: str) -> Table:
    table = Table("theirs", "ours", "rows", "why, where they differ", title=f"against {field}", title_justify="left")
    counts: Counter[tuple[str, str, str]] = Counter()
    for row, text in zip(rows, checked["checks"].to_pylist(), strict=True):
        evidence = json.loads(text)
        theirs, mine = row[field], evidence["results_equal"]
        why = "" if theirs == mine else (evidence["execution"]["reason"] or evidence["execution"]["detail"])[:90]
        counts[(json.dumps(theirs), json.dumps(mine), why)] += 1
    for (theirs, mine, why), count in sorted(counts.items()):
        table.add_row(theirs, mine, f"{count:,}", why)
    return table
