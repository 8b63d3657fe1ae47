"""A store with a long queue and a live index, written without the API."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa

from benchmarks.corpus import corrections
from feedback_pipeline.curation.encoder import SentenceEncoder
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.promotion import promote
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import CheckRecord, Store, Submission, decide, record_checks, submit_many

EXAMPLES = 5_000
_DIMENSION = 384
_AT_ONCE = 5_000
_CHECKS = {"failed_check": None, "flags": [], "execution": {"results_equal": False}}


def fill(store: Store, settings: Settings, waiting: int) -> None:
    """Leave ``waiting`` corrections pending, and ``EXAMPLES`` applied."""
    rows = corrections(waiting)
    while some := list(islice(rows, _AT_ONCE)):
        _checked(store, some)
    examples = list(corrections(EXAMPLES, first=50_000_000))
    ids = _checked(store, examples)
    decide(store, ids, "verified", actor="benchmark")
    embedded = _embedded(examples, ids)
    promote(store, IndexCatalog(settings.storage_root), embedded, SentenceEncoder(), vector_index_min_rows=10**9)


def _checked(store: Store, rows: list[dict[str, str]]) -> list[str]:
    submissions = [
        Submission(
            row["database_id"],
            row["natural_query"],
            generated_sql=row["corrected_sql"].replace("=", "<>"),
            corrected_sql=row["corrected_sql"],
            user_id=f"user {number % 500}",
        )
        for number, row in enumerate(rows)
    ]
    ids = [stored.feedback_id for stored in submit_many(store, submissions)]
    documents = [_CHECKS | {"canonical_sql": row["corrected_sql"]} for row in rows]
    record_checks(store, [CheckRecord(i, d, "benchmark", True) for i, d in zip(ids, documents, strict=True)])
    return ids


def _embedded(rows: list[dict[str, str]], ids: list[str]) -> pa.Table:
    """Random unit vectors serve as well as real ones: an exact search takes as long."""
    vectors = np.random.default_rng(7).normal(size=(len(rows), _DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return pa.table(
        {
            "example_id": [f"{number:016x}" for number in range(len(rows))],
            "database_id": [row["database_id"] for row in rows],
            "natural_query": [row["natural_query"] for row in rows],
            "sql": [row["corrected_sql"] for row in rows],
            "generated_sql": pa.nulls(len(rows), pa.string()),
            "weight": pa.array([1] * len(rows), pa.int32()),
            "feedback_ids": [[feedback_id] for feedback_id in ids],
            "source": ["benchmark"] * len(rows),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), _DIMENSION),
        }
    )


def questions() -> Iterator[dict[str, str]]:
    """Yield questions to ask and corrections to send, none of them stored before."""
    return corrections(1_000_000, first=90_000_000)
