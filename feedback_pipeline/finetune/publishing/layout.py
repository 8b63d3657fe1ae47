"""Which rows share a file: shards that stay as they are from version to version unless a row of them changes.

New rows go to the end; a shard that loses or changes a row is written anew. So a version that brings new rows writes
little more than those (docs/decisions/0029).
"""

import numpy as np

from feedback_pipeline.finetune.content.record import Record

SHARD_ROWS = 16_384
"""Rows of a file, and of its row group, where a kind of dataset says nothing else."""

_WORTH_KEEPING = 0.5
"""A shard written anew that is emptier than this share is dissolved, and its rows go to the end."""


def lay_out(
    keys: np.ndarray,
    prints: np.ndarray,
    split: int,
    rows: np.ndarray,
    parent: Record | None,
    shard_rows: int | None = None,
) -> list[np.ndarray]:
    """Return the shards of one split: the row numbers of each, ordered by key.

    Args:
        keys: of all rows, ascending.
        prints: fingerprints of all rows: bytes of shape (rows, 16).
        split: as its place in SPLITS.
        rows: the numbers of the rows of this split, ascending.
        parent: the version before; None lays everything out anew.
        shard_rows: rows of a shard; None: SHARD_ROWS.
    """
    most = shard_rows or SHARD_ROWS
    kept: list[np.ndarray] = []
    if parent is not None:
        kept, rows = _kept_shards(keys, prints, split, rows, parent, _WORTH_KEEPING * most)
    if len(rows) and kept and len(kept[-1]) < most:
        rows = np.sort(np.concatenate([kept.pop(), rows]))
    return kept + [rows[start : start + most] for start in range(0, len(rows), most)]


def _kept_shards(
    keys: np.ndarray, prints: np.ndarray, split: int, rows: np.ndarray, parent: Record, fewest: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the shards of the parent with the rows that are still in them, and the rows that need a place."""
    if not parent.present.any():
        return [], rows
    places = parent.places_of(keys[rows])
    shards = np.where(places >= 0, parent.shards[places], -1)
    shards[(places >= 0) & (parent.splits[places] != split)] = -1
    unchanged = (places >= 0) & (parent.prints[places] == prints[rows]).all(axis=1)
    kept, loose = [], [rows[shards < 0]]
    sizes = np.bincount(parent.shards[parent.present & (parent.splits == split)])
    for shard, size in enumerate(sizes):
        here = shards == shard
        untouched = here.sum() == size and unchanged[here].all()
        if untouched or here.sum() >= fewest:
            kept.append(rows[here])
        else:
            loose.append(rows[here])
    return kept, np.sort(np.concatenate(loose))
