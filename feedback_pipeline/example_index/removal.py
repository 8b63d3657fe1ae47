"""Taking examples out: at once from what agents see, and for good from every file of the index.

Neither needs a model or a pipeline run: vectors stand in the table.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.example_index.catalog import LIVE, TABLE, IndexCatalog, Publication
from feedback_pipeline.example_index.column_indexes import index_columns
from feedback_pipeline.example_index.publish import PublishResult, publish_without
from feedback_pipeline.example_index.retention import move, remove_older_files, same_files_again, sweep_notes
from feedback_pipeline.example_index.writing import write_whole
from feedback_pipeline.tables.publishing import only_publisher

if TYPE_CHECKING:
    from lancedb.table import Table

_VECTOR_INDEX_MIN_ROWS = 100_000
_APART_S = 0.1
"""Between what is kept and what is cleaned up: LanceDB tells them apart by age alone."""
_TRIES = 5


@dataclass(frozen=True)
class Holdings:
    """Where an index holds rows of some feedback.

    Attributes:
        live_rows: in the live publication.
        publications: those that hold any, by number.
        versions: LanceDB versions that hold any, published or not.
        example_ids: the examples that rest on the feedback.
    """

    live_rows: int = 0
    publications: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    example_ids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Removal:
    """What ``remove_for_good`` did: the publications that are gone, and those that stay, by number."""

    removed: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


def take_out(catalog: IndexCatalog, feedback_ids: Set[str]) -> PublishResult | None:
    """Publish the live examples without those that rest on any of ``feedback_ids``; None where there is nothing to do.

    Examples that other users vouch for too are taken out as well, for their wording may be this one's; the next run
    builds them again from the others. Rows are only marked, so it costs the same however many there are.

    Raises:
        IndexNotFoundError: the index is damaged.
        IndexCheckError: what was written is not what was asked for; ``live`` has not moved.
    """
    if not feedback_ids:
        return None
    with only_publisher(f"{catalog.root}/index"):
        live = catalog.live()
        if live is None:
            return None
        rows = _identities(catalog.open_publication(live))
        gone = _rest_on(rows["feedback_ids"], feedback_ids)
        if not gone.any():
            return None
        remaining = rows.filter(pa.array(~gone))
        return publish_without(catalog, live, remaining, rows["_rowid"].to_numpy()[gone])


def holdings(catalog: IndexCatalog, feedback_ids: Set[str]) -> Holdings:
    """Look for ``feedback_ids`` in every version of the index that can still be read."""
    if not catalog.exists() or not feedback_ids:
        return Holdings()
    table = catalog.open_table()
    found = {
        version: ids
        for version in sorted(item["version"] for item in table.list_versions())
        if (ids := _examples_of(table, version, feedback_ids))
    }
    live = catalog.live()
    return Holdings(
        live_rows=len(found.get(live.table_version, ())) if live else 0,
        publications=[p.version for p in catalog.publications() if p.table_version in found],
        versions=list(found),
        example_ids=frozenset().union(*found.values()),
    )


def remove_for_good(
    catalog: IndexCatalog,
    feedback_ids: Set[str],
    reason: str,
    *,
    vector_index_min_rows: int = _VECTOR_INDEX_MIN_ROWS,
) -> Removal:
    """Remove all rows that rest on ``feedback_ids`` from all versions and from the files behind them.

    A publication whose files may still hold such rows is removed as a whole and its note revoked; the others stay and
    can be rolled back to. A crash half-way leaves the former or the new publication live; calling again finishes.
    """
    take_out(catalog, feedback_ids)
    if not (held := holdings(catalog, feedback_ids).versions):
        return Removal()
    with only_publisher(f"{catalog.root}/index"):
        live, others = catalog.live(), [p for p in catalog.publications() if p != catalog.live()]
        staying = [p for p in others if _is_clean(catalog, p.table_version, held)]
        gone = [p for p in others if p not in staying]
        time.sleep(_APART_S)
        began = time.time()
        for publication in staying:
            move(catalog, same_files_again(catalog, publication), publication)
        _renew_live(catalog, live, held, vector_index_min_rows)
        _revoke(catalog, gone, reason)
        _clean_up(catalog, began)
        sweep_notes(catalog)
    return Removal([p.version for p in gone], [p.version for p in catalog.publications()])


def _rows(catalog: IndexCatalog, table_version: int) -> pa.Table:
    table = catalog.open_table()
    table.checkout(table_version)
    return table.search().limit(None).to_arrow()


def _identities(table: Table) -> pa.Table:
    columns = ["example_id", "database_id", "row_digest", "feedback_ids"]
    return table.search().select(columns).with_row_id(True).limit(None).to_arrow()


def _rest_on(column: pa.ChunkedArray, feedback_ids: Set[str]) -> np.ndarray:
    """Tell of each list of feedback ids whether it holds any of ``feedback_ids``: bool of shape (rows,)."""
    wanted = pa.array(sorted(feedback_ids), pa.string())
    parts = [np.zeros(0, bool)]
    for lists in column.chunks:
        hits = pc.list_parent_indices(lists).filter(pc.is_in(pc.list_flatten(lists), value_set=wanted))
        parts.append(np.isin(np.arange(len(lists)), hits.to_numpy()))
    return np.concatenate(parts)


def _examples_of(table: Table, version: int, feedback_ids: Set[str]) -> frozenset[str]:
    table.checkout(version)
    rows = table.search().select(["example_id", "feedback_ids"]).limit(None).to_arrow()
    return frozenset(rows["example_id"].filter(pa.array(_rest_on(rows["feedback_ids"], feedback_ids))).to_pylist())


def _is_clean(catalog: IndexCatalog, table_version: int, held: list[int]) -> bool:
    """Tell whether the files behind a version hold no row of ``held``: it is older, or has no row marked as deleted.

    Deleting marks rows; their content stays in the file.
    """
    if table_version < min(held):
        return True
    return table_version not in held and not _marks_deleted_rows(catalog, table_version)


def _marks_deleted_rows(catalog: IndexCatalog, table_version: int) -> bool:
    versions = {item["version"]: item["metadata"] for item in catalog.open_table().list_versions()}
    # Unknown counts as yes.
    return versions.get(table_version, {}).get("total_deletion_files", "1") != "0"


def _renew_live(catalog: IndexCatalog, live: Publication | None, held: list[int], vector_index_min_rows: int) -> None:
    """Write the live rows into files of their own where the present ones may hold others too."""
    if live is None:
        # LanceDB never cleans up its newest version, so where nothing is live that has to be an empty one.
        rows = catalog.open_table().search().limit(None).to_arrow()
        catalog.connect().create_table(TABLE, data=rows.slice(0, 0), mode="overwrite")
        return
    if _is_clean(catalog, live.table_version, held):
        table = same_files_again(catalog, live)
    else:
        table = write_whole(catalog, _rows(catalog, live.table_version))
        largest = max((database.rows for database in catalog.databases(live).values()), default=live.rows)
        index_columns(table, live.rows, largest, vector_index_min_rows)
    moved = move(catalog, table, live)
    table.tags.update(LIVE, moved.table_version)


def _revoke(catalog: IndexCatalog, gone: list[Publication], reason: str) -> None:
    table = catalog.open_table()
    for publication in gone:
        catalog.revoke(publication, reason)
        table.tags.delete(f"v{publication.version}")


def _clean_up(catalog: IndexCatalog, since: float) -> None:
    """Remove all versions made before ``since`` and every file that only they need. No tag may hold one of them."""
    for attempt in range(_TRIES):
        try:
            remove_older_files(catalog, lambda: timedelta(seconds=time.time() - since), delete_unverified=True)
        except RuntimeError:
            # On a busy machine the call may have come so late that what is kept counted as old: nothing was removed.
            if attempt == _TRIES - 1:
                raise
        else:
            return
