"""Bring the index to a wanted state and publish it: only what changed is written, readers switch at once."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.example_index.catalog import DatabaseContent, IndexCatalog, Publication
from feedback_pipeline.example_index.column_indexes import index_columns, vector_columns
from feedback_pipeline.example_index.dictionaries import Sample
from feedback_pipeline.example_index.digests import database_contents, publication_digest
from feedback_pipeline.example_index.learning import publish_dictionaries, publish_remaining_dictionaries
from feedback_pipeline.example_index.retention import KEPT_PUBLICATIONS, prune
from feedback_pipeline.example_index.rows import index_rows
from feedback_pipeline.example_index.stored_rows import compare, is_worth_rewriting, read_stored
from feedback_pipeline.example_index.writing import delete_rows, write_difference, write_whole
from feedback_pipeline.tables.publishing import only_publisher

if TYPE_CHECKING:
    from lancedb.table import Table


class IndexCheckError(RuntimeError):
    """The index built does not hold what it should; it was not published."""


@dataclass(frozen=True)
class PublishResult:
    """What is live now, and how much was written to get there. ``changed`` is false where nothing was published."""

    publication: Publication
    changed: bool
    upserted: int
    removed: int


@dataclass(frozen=True)
class _Content:
    """What a publication is to hold."""

    databases: Mapping[str, DatabaseContent]
    model_fingerprint: str
    dimension: int
    values_digest: str | None

    @property
    def rows(self) -> int:
        return sum(content.rows for content in self.databases.values())

    @property
    def digest(self) -> str:
        further = [self.values_digest] if self.values_digest else []
        return publication_digest(self.databases, self.model_fingerprint, *further)


def publish(
    catalog: IndexCatalog,
    embedded: pa.Table,
    model_fingerprint: str,
    *,
    samples: Mapping[str, Sample] = MappingProxyType({}),
    vector_index_min_rows: int = 100_000,
    keep_publications: int = KEPT_PUBLICATIONS,
) -> PublishResult:
    """Make ``embedded`` (schemas.embedded_feedback) the live content of the index.

    The same content and model as the live publication publish nothing. A crash before the last step leaves the former
    publication live, and the next call starts from that one.

    Args:
        catalog: where the index lies.
        embedded: all examples that are to be live.
        model_fingerprint: the model their vectors were made with.
        samples: database → (text, ``table.column``) found in it: what dictionaries hold besides the values of the SQL.
        vector_index_min_rows: rows of one database from which vectors are indexed approximately.
        keep_publications: so many publications stay, besides the live one; see ``retention``.

    Raises:
        IndexCheckError: an example is given twice, or row count or vectors are not what was asked for; ``live`` has
            not moved.

    """
    rows = index_rows(embedded)
    _refuse_gaps(rows)
    databases = database_contents(rows["database_id"], rows["row_digest"], model_fingerprint)
    dimension = rows.schema.field("vector").type.list_size
    with only_publisher(f"{catalog.root}/index"):
        # Inside, for what no publication names is swept away by whoever publishes.
        values_digest = publish_dictionaries(catalog.root, rows, databases, samples)
        content = _Content(databases, model_fingerprint, dimension, values_digest)
        live = catalog.live()
        if live is not None and live.digest == content.digest:
            return PublishResult(live, changed=False, upserted=0, removed=0)
        table, upserted, removed = _write(catalog, rows, live, model_fingerprint)
        largest = max((database.rows for database in databases.values()), default=0)
        index_columns(table, rows.num_rows, largest, vector_index_min_rows)
        publication = _release(catalog, table, content)
        prune(catalog, keep_publications)
        return PublishResult(publication, changed=True, upserted=upserted, removed=removed)


def publish_without(catalog: IndexCatalog, live: Publication, remaining: pa.Table, gone: np.ndarray) -> PublishResult:
    """Publish the live examples without some, which takes neither their vectors nor a model.

    Args:
        catalog: where the index lies.
        live: the live publication; the caller holds the lock of publishers.
        remaining: ``example_id``, ``database_id`` and ``row_digest`` of all other live rows.
        gone: LanceDB's row numbers of the rows to take out, in the live version.

    """
    table = catalog.open_table()
    _return_to(table, live.table_version)
    delete_rows(table, gone)
    databases = database_contents(remaining["database_id"], remaining["row_digest"], live.model_fingerprint)
    values_digest = publish_remaining_dictionaries(catalog, live, remaining, databases)
    content = _Content(databases, live.model_fingerprint, live.dimension, values_digest)
    return PublishResult(_release(catalog, table, content), changed=True, upserted=0, removed=len(gone))


def _write(
    catalog: IndexCatalog, rows: pa.Table, live: Publication | None, model_fingerprint: str
) -> tuple[Table, int, int]:
    """Bring the table to ``rows``; return it with the number of rows that are new or changed, and of those gone."""
    if live is None or live.model_fingerprint != model_fingerprint or _has_other_columns(catalog, live, rows):
        _refuse_repeats(rows.num_rows - pc.count_distinct(rows["example_id"]).as_py())
        return write_whole(catalog, rows), rows.num_rows, 0
    table = catalog.open_table()
    _return_to(table, live.table_version)
    stored = read_stored(table)
    difference = compare(rows, stored)
    _refuse_repeats(difference.repeated)
    if is_worth_rewriting(stored, difference):
        table = write_whole(catalog, rows)
    else:
        write_difference(table, rows, stored, difference)
    return table, len(difference.fresh), difference.removed


def _release(catalog: IndexCatalog, table: Table, content: _Content) -> Publication:
    """Check what was written, leave its notes and let ``live`` point at it: the one step that readers see."""
    _check(table, content.rows)
    publication = Publication(
        version=catalog.next_version(),
        table_version=table.version,
        rows=content.rows,
        digest=content.digest,
        model_fingerprint=content.model_fingerprint,
        dimension=content.dimension,
        values_digest=content.values_digest,
    )
    catalog.note_databases(publication, content.databases)
    catalog.note(publication)
    table.tags.create(f"v{publication.version}", publication.table_version)
    catalog.make_live(table, publication.table_version)
    return publication


def _has_other_columns(catalog: IndexCatalog, live: Publication, rows: pa.Table) -> bool:
    """Tell whether the live rows have other columns or types, as those of an earlier release of this project may."""
    return {f.name: f.type for f in catalog.open_publication(live).schema} != {f.name: f.type for f in rows.schema}


def _refuse_gaps(rows: pa.Table) -> None:
    empty = sum(rows[column].null_count for column in vector_columns(rows.schema))
    if empty:
        raise IndexCheckError(f"{empty} vector(s) are missing; not published")


def _refuse_repeats(repeated: int) -> None:
    if repeated:
        raise IndexCheckError(f"{repeated} example(s) are given more than once; not published")


def _return_to(table: Table, table_version: int) -> None:
    """Make a publication the newest state again: what a crashed publish left may hold another model's vectors."""
    if table.version != table_version:
        table.checkout(table_version)
        table.restore()


def _check(table: Table, rows: int) -> None:
    found = table.count_rows()
    if found != rows:
        raise IndexCheckError(f"the index holds {found} rows, not the {rows} it was given; not published")
