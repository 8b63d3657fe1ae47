"""Leakage: what the splits of a dataset have in common, counted from the rows and not from their clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.curation.clustering import group_numbers
from feedback_pipeline.curation.near_duplicates import near_duplicate_pairs
from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.finetune.catalog import Release, read_data, split_of_file
from feedback_pipeline.finetune.content.kind import RERANKER, kind_of

_SHOWN = 5


@dataclass(frozen=True)
class LeakingPair:
    """Two rows that should not be in two splits."""

    row_id: str
    split: str
    other_row_id: str
    other_split: str


@dataclass(frozen=True)
class Leakage:
    """How many rows of a dataset have a partner in another split, and up to five pairs of each kind.

    Attributes:
        rows: rows looked at.
        exact: rows whose canonical question is asked in another split as well, about any database.
        near: rows that are in a near-duplicate pair across splits (``near_duplicate_pairs``): 0 if
            and only if there is no such pair; else at least one row of each, as pairs that others imply are left out.
        skeleton: rows whose SQL skeleton is in another split as well, on the same database.
        pairs: examples of each kind.
    """

    rows: int
    exact: int
    near: int
    skeleton: int
    pairs: dict[str, list[LeakingPair]]

    @property
    def is_zero(self) -> bool:
        """Whether the splits have nothing in common."""
        return not (self.exact or self.near or self.skeleton)

    def as_dict(self) -> dict[str, Any]:
        """Return counts and pairs as JSON types."""
        counts = {"rows": self.rows, "exact": self.exact, "near": self.near, "skeleton": self.skeleton}
        return {**counts, "pairs": {kind: [vars(pair) for pair in pairs] for kind, pairs in self.pairs.items()}}


def measure_leakage(
    rows: pa.Table, splits: np.ndarray | pa.Array | pa.ChunkedArray, *, across_databases: bool = True
) -> Leakage:
    """Return what the splits have in common.

    ``cluster_id`` is not looked at. Rows placed by the clusters that ``cluster_ids`` gave them, among these rows or
    among more, have no leakage: both compare all rows, with nothing estimated.

    Args:
        rows: columns row_id, database_id, natural_query, sql_skeleton; ``canonical_question`` is taken if it is there.
        splits: the name of the split of each row, or a number for it.
        across_databases: False looks for near-duplicates on one database only, if rows were joined so.

    Raises:
        ValueError: there is not one split per row.

    """
    if len(splits) != rows.num_rows:
        raise ValueError(f"{rows.num_rows} rows have {len(splits)} splits: give one split for each row")
    names = splits if isinstance(splits, pa.Array | pa.ChunkedArray) else pa.array(splits)
    codes = group_numbers(names)
    questions = _canonical(rows)
    same_question = group_numbers(questions)
    same_skeleton = group_numbers(rows["database_id"], rows["sql_skeleton"])
    databases = None if across_databases else group_numbers(rows["database_id"])
    links = near_duplicate_pairs(questions, databases=databases, splits=codes)
    return Leakage(
        rows.num_rows,
        int(_torn(same_question, codes)[same_question].sum()),
        len(np.unique(links)),
        int(_torn(same_skeleton, codes)[same_skeleton].sum()),
        {
            "exact": list(_shown(rows, names, _pairs_within(same_question, codes))),
            "near": list(_shown(rows, names, links)),
            "skeleton": list(_shown(rows, names, _pairs_within(same_skeleton, codes))),
        },
    )


def measure_query_leakage(rows: pa.Table, splits: np.ndarray | pa.Array | pa.ChunkedArray) -> Leakage:
    """Return what the splits of a reranker's dataset have in common; there is no SQL that they could share.

    Args:
        rows: columns row_id, query.
        splits: the name of the split of each row, or a number for it.

    Raises:
        ValueError: there is not one split per row.

    """
    columns = {
        "row_id": rows["row_id"],
        "database_id": pa.repeat("", rows.num_rows),
        "natural_query": rows["query"],
        "sql_skeleton": rows["row_id"],
    }
    return measure_leakage(pa.table(columns), splits)


def leakage_of_release(release: Release, *, across_databases: bool = True) -> Leakage:
    """Return what the splits of a release have in common, measured on the rows in its files."""
    kind = kind_of(release.manifest)
    columns = ["row_id", *(name for name in kind.measured_by if name in kind.rows.names and name != "row_id")]
    tables = [read_data(path, columns) for path in release.data_files]
    names = [pa.repeat(split_of_file(path), len(rows)) for path, rows in zip(release.data_files, tables, strict=True)]
    rows, splits = pa.concat_tables(tables), pa.chunked_array(names)
    if kind is RERANKER:
        return measure_query_leakage(rows, splits)
    return measure_leakage(rows, splits, across_databases=across_databases)


def _canonical(rows: pa.Table) -> pa.ChunkedArray | pa.Array:
    if "canonical_question" in rows.column_names:
        return rows["canonical_question"]
    return pa.array(map(canonical_question, rows["natural_query"].to_pylist()), pa.string())


def _torn(groups: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """Tell for each group whether its rows are in more than one split."""
    size = groups.max(initial=-1) + 1
    lowest, highest = np.full(size, splits.max(initial=0)), np.zeros(size, np.int64)
    np.minimum.at(lowest, groups, splits)
    np.maximum.at(highest, groups, splits)
    return lowest != highest


def _pairs_within(groups: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """Return a pair (2 x m) of rows in two splits per group that has one: its first row and the first elsewhere."""
    first = np.unique(groups, return_index=True)[1]
    elsewhere = np.flatnonzero(splits != splits[first[groups]])
    others = elsewhere[np.sort(np.unique(groups[elsewhere], return_index=True)[1])]
    return np.stack([first[groups[others]], others])


def _shown(rows: pa.Table, splits: pa.Array | pa.ChunkedArray, pairs: np.ndarray) -> Iterator[LeakingPair]:
    for row, other in pairs[:, :_SHOWN].T.tolist():
        ids = rows["row_id"][row].as_py(), rows["row_id"][other].as_py()
        yield LeakingPair(ids[0], str(splits[row]), ids[1], str(splits[other]))
