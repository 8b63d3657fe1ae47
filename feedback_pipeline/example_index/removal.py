"""Taking examples out: at once from what agents see, and for good from every file of the index.

Neither needs a model or a pipeline run: vectors stand in the table.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from feedback_pipeline.example_index.catalog import LIVE, TABLE, IndexCatalog, Publication
from feedback_pipeline.example_index.publish import PublishResult, index_columns, publish
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


def take_out(
    catalog: IndexCatalog, feedback_ids: Set[str], *, vector_index_min_rows: int = _VECTOR_INDEX_MIN_ROWS
) -> PublishResult | None:
    """Publish the live examples without those that rest on any of ``feedback_ids``; None where there is nothing to do.

    Examples that other users vouch for too are taken out as well, for their wording may be this one's; the next run
    builds them again from the others.

    Raises:
        IndexNotFoundError: the index is damaged.
        IndexCheckError: what was written is not what was asked for; ``live`` has not moved.
    """
    live = catalog.live()
    if live is None or not feedback_ids:
        return None
    rows = _rows(catalog, live.table_version)
    staying = [feedback_ids.isdisjoint(ids) for ids in rows["feedback_ids"].to_pylist()]
    if all(staying):
        return None
    remaining = rows.filter(pa.array(staying, pa.bool_()))
    return publish(catalog, remaining, live.model_fingerprint, vector_index_min_rows=vector_index_min_rows)


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
    take_out(catalog, feedback_ids, vector_index_min_rows=vector_index_min_rows)
    if not (held := holdings(catalog, feedback_ids).versions):
        return Removal()
    with only_publisher(f"{catalog.root}/index"):
        live, others = catalog.live(), [p for p in catalog.publications() if p != catalog.live()]
        staying = [p for p in others if _is_clean(catalog, p.table_version, held)]
        gone = [p for p in others if p not in staying]
        time.sleep(_APART_S)
        began = time.time()
        for publication in staying:
            _move(catalog, _same_files_again(catalog, publication), publication)
        _renew_live(catalog, live, held, vector_index_min_rows)
        _revoke(catalog, gone, reason)
        _clean_up(catalog.open_table(), began)
        catalog.sweep_notes()
    return Removal([p.version for p in gone], [p.version for p in catalog.publications()])


def _rows(catalog: IndexCatalog, table_version: int) -> pa.Table:
    table = catalog.open_table()
    table.checkout(table_version)
    return table.search().limit(None).to_arrow()


def _examples_of(table: Table, version: int, feedback_ids: Set[str]) -> frozenset[str]:
    table.checkout(version)
    rows = table.search().select(["example_id", "feedback_ids"]).limit(None).to_arrow()
    pairs = zip(rows["example_id"].to_pylist(), rows["feedback_ids"].to_pylist(), strict=True)
    return frozenset(example_id for example_id, ids in pairs if not feedback_ids.isdisjoint(ids))


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


def _same_files_again(catalog: IndexCatalog, publication: Publication) -> Table:
    """Make a publication the newest LanceDB version, on the same files: the old ones can then be cleaned up by age."""
    table = catalog.open_table()
    table.checkout(publication.table_version)
    table.restore()
    return table


def _renew_live(catalog: IndexCatalog, live: Publication | None, held: list[int], vector_index_min_rows: int) -> None:
    """Write the live rows into files of their own where the present ones may hold others too."""
    if live is None:
        # LanceDB never cleans up its newest version, so where nothing is live that has to be an empty one.
        rows = catalog.open_table().search().limit(None).to_arrow()
        catalog.connect().create_table(TABLE, data=rows.slice(0, 0), mode="overwrite")
        return
    if _is_clean(catalog, live.table_version, held):
        table = _same_files_again(catalog, live)
    else:
        table = catalog.connect().create_table(TABLE, data=_rows(catalog, live.table_version), mode="overwrite")
        index_columns(table, live.rows, vector_index_min_rows)
    moved = _move(catalog, table, live)
    table.tags.update(LIVE, moved.table_version)


def _move(catalog: IndexCatalog, table: Table, publication: Publication) -> Publication:
    moved = replace(publication, table_version=table.version)
    catalog.note(moved)
    table.tags.update(f"v{publication.version}", moved.table_version)
    return moved


def _revoke(catalog: IndexCatalog, gone: list[Publication], reason: str) -> None:
    table = catalog.open_table()
    for publication in gone:
        catalog.revoke(publication, reason)
        table.tags.delete(f"v{publication.version}")


def _clean_up(table: Table, since: float) -> None:
    """Remove all versions made before ``since`` and every file that only they need. No tag may hold one of them."""
    for attempt in range(_TRIES):
        try:
            table.optimize(cleanup_older_than=timedelta(seconds=time.time() - since), delete_unverified=True)
        except RuntimeError:
            # On a busy machine the call may have come so late that what is kept counted as old: nothing was removed.
            if attempt == _TRIES - 1:
                raise
        else:
            return
