"""Clusters: rows so alike that one must not test what was learned from the other.

Rows of one database that share a SQL skeleton, and rows of any databases whose questions are near-duplicates, get the
same ``cluster_id``; a dataset keeps each cluster in one split. Text and SQL decide, never float vectors, which differ
between machines.
"""

import numpy as np
import pyarrow as pa

from feedback_pipeline.curation.near_duplicates import components, near_duplicate_pairs


def cluster_ids(rows: pa.Table, *, across_databases: bool = True) -> pa.Array:
    """Return the cluster of each row: the smallest ``example_id`` among its members.

    Args:
        rows: columns example_id, database_id, canonical_question, sql_skeleton; ordered by example_id.
        across_databases: False joins near-duplicate questions of one database only; equal questions are always joined.

    """
    if rows.num_rows == 0:
        return pa.array([], pa.string())
    skeletons = group_numbers(rows["database_id"], rows["sql_skeleton"])
    same = [links_within(skeletons), links_within(group_numbers(rows["canonical_question"]))]
    linked = components(rows.num_rows, np.concatenate(same, axis=1))
    databases = None if across_databases else group_numbers(rows["database_id"])
    near = near_duplicate_pairs(rows["canonical_question"], databases=databases, linked=linked)
    return rows["example_id"].take(pa.array(components(rows.num_rows, near, linked))).combine_chunks()


def group_numbers(*columns: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return a number for each row (rows,), equal where the values of all columns are: counted in order of appearance.

    Args:
        columns: of equal length, none with nulls.

    """
    numbers = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        codes = _codes(column)
        numbers = _codes(pa.array(numbers * (codes.max(initial=0) + 1) + codes))
    return numbers


def _codes(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return whole.dictionary_encode().indices.to_numpy().astype(np.int64)


def links_within(groups: np.ndarray) -> np.ndarray:
    """Return edges (2 x m) from each row that is not the first of its group to the row that is.

    Args:
        groups: as ``group_numbers`` returns them.

    """
    firsts = np.flatnonzero(np.diff(np.maximum.accumulate(groups), prepend=-1))
    edges = np.stack([np.arange(len(groups)), firsts[groups]])
    return edges[:, edges[0] != edges[1]]
