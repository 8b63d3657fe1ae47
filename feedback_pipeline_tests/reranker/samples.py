"""Rows of the reranker's dataset for the tests, as the stage before it makes them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.content.kind import RERANKER
from feedback_pipeline.finetune.content.reranker_rows import RerankerPolicy
from feedback_pipeline.finetune.publishing.release import Surroundings, publish_release
from feedback_pipeline.schemas import RERANKER_DROPPED, RERANKER_QUERIES

POLICY = RerankerPolicy(validation_percent=10, test_percent=10)

_TOPICS = ("vaccines", "masks", "travel", "schools", "symptoms", "testing", "quarantine")


def query(
    number: int, positives: int | list[str] = 1, negatives: int | list[str] = 2, **changes: Any
) -> dict[str, Any]:
    """Return one row of schemas.RERANKER_QUERIES, a cluster of its own, with these passages or so many.

    It rests on the interactions 10 · ``number`` and the next, of which the second rated the negatives.
    """
    up, down = str(10 * number), str(10 * number + 1)
    topic = _TOPICS[number % len(_TOPICS)]
    good = _passages(positives, f"Rule {number} on {topic}, helpful paragraph {{}}.")
    bad = _passages(negatives, f"Opening hours {number}, paragraph {{}} beside the point.")
    return {
        "row_id": f"{number:016x}",
        "query": f"What about {topic} in the {number}th rule of chapter {number}?",
        "source": f"source {number % 3}",
        "cluster_id": f"{number:016x}",
        "positives": good,
        "positive_weights": [1.0 / (n + 1) for n in range(len(good))],
        "positive_ranks": [1.0 + n for n in range(len(good))],
        "positive_interactions": [[up]] * len(good),
        "negatives": bad,
        "negative_weights": [0.5 / (n + 1) for n in range(len(bad))],
        "negative_ranks": [2.0 + n for n in range(len(bad))],
        "negative_interactions": [[down]] * len(bad),
        "negative_origins": [("rated", "surfaced")[n % 2] for n in range(len(bad))],
        "weight": 0.5 if good and bad else 0.0,
        "contributors": 2,
        "interaction_ids": [*[up] * bool(good), *[down] * bool(bad)],
        **changes,
    }


def _passages(wanted: int | list[str], template: str) -> list[str]:
    return [template.format(n) for n in range(wanted)] if isinstance(wanted, int) else wanted


def queries(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return rows as a table of schemas.RERANKER_QUERIES."""
    return pa.Table.from_pylist(list(rows), RERANKER_QUERIES)


def dropped(*rows: tuple[int, int | None, str]) -> pa.Table:
    """Return (interaction, rank, reason) as a table of schemas.RERANKER_DROPPED."""
    interactions, ranks, reasons = zip(*rows, strict=True) if rows else ((), (), ())
    columns = [
        pa.array(interactions, pa.int64()),
        pa.array(ranks, pa.int32()),
        pa.array(reasons, pa.string()).dictionary_encode(),
    ]
    return pa.Table.from_arrays(columns, schema=RERANKER_DROPPED)


def publish(
    root: Path | str,
    rows: Iterable[dict[str, Any]],
    *,
    policy: RerankerPolicy = POLICY,
    surroundings: Surroundings | None = None,
) -> Release:
    """Publish a version of ``reranker`` with these rows."""
    result = publish_release(ReleaseCatalog(str(root)), "reranker", queries(rows), policy, surroundings, kind=RERANKER)
    assert result.published
    assert result.release is not None
    return result.release
