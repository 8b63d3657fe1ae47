"""Bring the index to a wanted state and publish it: only what changed is written, readers switch at once."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.example_index.catalog import TABLE, IndexCatalog, Publication
from feedback_pipeline.example_index.rows import index_rows, table_digest
from feedback_pipeline.tables.publishing import only_publisher

if TYPE_CHECKING:
    from lancedb.table import Table

_IDS_PER_DELETE = 1_000
_KEEP_ALL_VERSIONS = timedelta(days=36_500)


class IndexCheckError(RuntimeError):
    """The index built does not hold what it should; it was not published."""


@dataclass(frozen=True)
class PublishResult:
    """What is live now, and how much was written to get there. ``changed`` is false where nothing was published."""

    publication: Publication
    changed: bool
    upserted: int
    removed: int


def publish(
    catalog: IndexCatalog, embedded: pa.Table, model_fingerprint: str, *, vector_index_min_rows: int = 100_000
) -> PublishResult:
    """Make ``embedded`` (schemas.embedded_feedback) the live content of the index.

    The same content and model as the live publication publish nothing. A crash before the last step leaves the former
    publication live, and the next call starts from that one.

    Raises:
        IndexCheckError: an example is given twice, or row count or vectors are not what was asked for; ``live`` has
            not moved.

    """
    rows = index_rows(embedded)
    _refuse_repeats(rows)
    digest = table_digest(rows, model_fingerprint)
    with only_publisher(f"{catalog.root}/index"):
        live = catalog.live()
        if live is not None and live.digest == digest:
            return PublishResult(live, changed=False, upserted=0, removed=0)
        table, upserted, removed = _write(catalog, rows, live, model_fingerprint)
        index_columns(table, rows.num_rows, vector_index_min_rows)
        _check(table, rows)
        dimension = rows.schema.field("vector").type.list_size
        number = catalog.next_version()
        publication = Publication(number, table.version, rows.num_rows, digest, model_fingerprint, dimension)
        catalog.note(publication)
        table.tags.create(f"v{number}", table.version)
        catalog.make_live(table, table.version)
        return PublishResult(publication, changed=True, upserted=upserted, removed=removed)


def _write(
    catalog: IndexCatalog, rows: pa.Table, live: Publication | None, model_fingerprint: str
) -> tuple[Table, int, int]:
    if live is None or live.model_fingerprint != model_fingerprint or _has_other_columns(catalog, live, rows):
        # Overwriting keeps the table's history, so earlier publications with another model stay readable.
        table = catalog.connect().create_table(TABLE, data=rows, mode="overwrite")
        return table, rows.num_rows, 0
    table = catalog.open_table()
    _return_to(table, live.table_version)
    present = table.search().select(["example_id", "row_digest"]).limit(None).to_arrow()
    changed = rows.filter(pc.invert(pc.is_in(_identity(rows), value_set=_identity(present))))
    gone = present["example_id"].filter(pc.invert(pc.is_in(present["example_id"], value_set=rows["example_id"])))
    if changed.num_rows:
        table.merge_insert("example_id").when_matched_update_all().when_not_matched_insert_all().execute(changed)
    _delete(table, gone.to_pylist())
    return table, changed.num_rows, len(gone)


def _has_other_columns(catalog: IndexCatalog, live: Publication, rows: pa.Table) -> bool:
    """Tell whether the live rows have other columns or types, as those of an earlier release of this project may."""
    return {f.name: f.type for f in catalog.open_publication(live).schema} != {f.name: f.type for f in rows.schema}


def _refuse_repeats(rows: pa.Table) -> None:
    repeated = rows.num_rows - pc.count_distinct(rows["example_id"]).as_py()
    if repeated:
        raise IndexCheckError(f"{repeated} example(s) are given more than once; not published")


def _return_to(table: Table, table_version: int) -> None:
    """Make a publication the newest state again: what a crashed publish left may hold another model's vectors."""
    if table.version != table_version:
        table.checkout(table_version)
        table.restore()


def _identity(rows: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise(rows["example_id"], rows["row_digest"], ":").combine_chunks()


def _delete(table: Table, example_ids: list[str]) -> None:
    for start in range(0, len(example_ids), _IDS_PER_DELETE):
        some = ", ".join(f"'{example_id}'" for example_id in example_ids[start : start + _IDS_PER_DELETE])
        table.delete(f"example_id IN ({some})")


def index_columns(table: Table, rows: int, vector_index_min_rows: int) -> None:
    """Build what readers of the whole table search by: the database and, for many rows, the vectors."""
    from lancedb.index import Bitmap, IvfRq

    present = {column for index in table.list_indices() for column in index.columns}
    if rows and "database_id" not in present:
        table.create_index("database_id", config=Bitmap())
    if rows >= vector_index_min_rows and "vector" not in present:
        table.create_index("vector", config=IvfRq(distance_type="cosine"))
    # Pruning old versions raises where a tag holds one, so optimising must not prune.
    table.optimize(cleanup_older_than=_KEEP_ALL_VERSIONS)


def _check(table: Table, rows: pa.Table) -> None:
    found = table.count_rows()
    if found != rows.num_rows:
        raise IndexCheckError(f"the index holds {found} rows, not the {rows.num_rows} it was given; not published")
    empty = table.count_rows("vector IS NULL")
    if empty:
        raise IndexCheckError(f"{empty} rows of the index have no vector; not published")
