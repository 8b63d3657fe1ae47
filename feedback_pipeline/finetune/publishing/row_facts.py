"""What is known of all rows of a version before any is written: read column by column, or some rows at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from feedback_pipeline.finetune.content.examples import NumberedRows
from feedback_pipeline.finetune.content.kind import DatasetKind
from feedback_pipeline.finetune.content.rows import FINGERPRINT_BYTES, MOMENT, lists_filled, moments
from feedback_pipeline.finetune.publishing.shard_files import Contents

Columns = Callable[[Sequence[str]], pa.Table]
"""Reads some columns of all rows."""

Report = Callable[[str, int, int], None]
"""Told (what is being done, rows done, rows in all)."""


def silently(_what: str, _done: int, _total: int) -> None:
    """Report nothing."""


def contents_of(columns: Columns, kind: DatasetKind) -> Contents:
    """Return what is known of rows and decides which files there are."""
    filled = {name: lists_filled(columns([name])[name]) for name in kind.needs}
    return Contents(filled, columns([kind.place])[kind.place].combine_chunks().dictionary_encode())


def moments_of(columns: Columns, kind: DatasetKind, count: int) -> np.ndarray:
    """Return when rows were verified, as ``rows.moments``; zeros where their kind does not say."""
    return moments(columns([MOMENT])[MOMENT]) if MOMENT in kind.rows.names else np.zeros(count, np.int64)


def all_fingerprints(rows: NumberedRows, kind: DatasetKind, report: Report = silently) -> np.ndarray:
    """Return the fingerprints of all rows; two batches at a time, since half the work is done outside the lock."""
    total, read = len(rows), 0
    prints = np.zeros((total, FINGERPRINT_BYTES), np.uint8)

    def one(numbers: slice | np.ndarray, batch: pa.Table, done: int) -> None:
        prints[numbers] = kind.fingerprints(batch)
        report("comparing", done, total)

    with ThreadPoolExecutor(2) as pool:
        pending = []
        for numbers, batch in rows.batches():
            read += batch.num_rows
            pending.append(pool.submit(one, numbers, batch, read))
            if len(pending) > 2:
                pending.pop(0).result()
        for future in pending:
            future.result()
    return prints
