"""Small databases, and short ways to run one pair on them."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from feedback_pipeline.execution import Evidence, Limits, Pair, Target, evidence_of

LIMITS = Limits(timeout_s=2.0, max_rows=1_000, max_bytes=4 * 1024 * 1024, sample_rows=3, workers=4)
IMPATIENT = replace(LIMITS, timeout_s=0.5)

ENDLESS = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r"

SHOP = """
CREATE TABLE orders (id INTEGER, city TEXT, total REAL);
INSERT INTO orders VALUES (1, 'Berlin', 10.5), (2, 'Bonn', 7), (3, 'Berlin', 3);
CREATE TABLE refunds (id INTEGER, total REAL);
"""


def sqlite_file(path: Path, script: str = SHOP) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def evidence(url: Any, answer: str, generated: str | None = None, limits: Limits = LIMITS, **pair: Any) -> Evidence:
    """Run one pair on one database."""
    one = Pair("shop", answer, generated, **pair)
    return evidence_of([one], {"shop": Target("shop", "sqlite", str(url))}, limits)[one]


def rows_of(url: Any, sql: str, limits: Limits = LIMITS) -> Sequence[Sequence[Any]]:
    """Return what ``sql`` gives, as a reviewer sees it: rows that another query, with none, does not hold."""
    found = evidence(url, sql, "SELECT 1 WHERE 1 = 0", replace(limits, sample_rows=100))
    assert found.answer_outcome == "ok", found.detail
    return found.only_in_corrected


def all_evidence(url: Any, pairs: Iterable[tuple[str, str | None]], limits: Limits = LIMITS) -> list[Evidence]:
    """Run several pairs on one database."""
    made = [Pair("shop", *pair) for pair in pairs]
    found = evidence_of(made, {"shop": Target("shop", "sqlite", str(url))}, limits)
    return [found[pair] for pair in made]
