"""Learns the dictionaries that belong to the rows of a publication; only those of databases that have changed."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import logging
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.example_index.catalog import DatabaseContent, IndexCatalog, Publication
from feedback_pipeline.example_index.dictionaries import Dictionaries, DictionaryNotFoundError, Sample, dictionary_key
from feedback_pipeline.masking.examples import MASKING_VERSION, learn_values, literals_of

logger = logging.getLogger(__name__)


def publish_dictionaries(
    root: str, rows: pa.Table, databases: Mapping[str, DatabaseContent], samples: Mapping[str, Sample]
) -> str:
    """Write the dictionary of each database in ``rows`` unless it is there, and return the manifest's digest.

    Args:
        root: the storage root.
        rows: index rows with ``database_id``, ``natural_query`` and ``values``; those of unchanged databases may be
            missing.
        databases: what each database holds.
        samples: database → (text, ``table.column``) found in it.

    """
    stored = Dictionaries(root)
    return stored.publish(_learned(stored, rows, databases, samples))


def _learned(
    stored: Dictionaries, rows: pa.Table, databases: Mapping[str, DatabaseContent], samples: Mapping[str, Sample]
) -> dict[str, str]:
    """Write the dictionaries that are not there yet, or not whole, and return the key of each."""
    texts = rows.select(["database_id", "natural_query", "values"])
    keys = {}
    for database_id, content in databases.items():
        sample = samples.get(database_id, ())
        key = keys[database_id] = dictionary_key(content.digest, sample, MASKING_VERSION)
        if not stored.has(key):
            part = texts.filter(pc.field("database_id") == database_id)
            dictionary = learn_values(part["natural_query"].to_pylist(), literals_of(part["values"]), sample)
            stored.write(key, dictionary, sample)
    return keys


def publish_remaining_dictionaries(
    catalog: IndexCatalog, live: Publication, remaining: pa.Table, databases: Mapping[str, DatabaseContent]
) -> str | None:
    """Learn the dictionaries anew without some rows of the live publication; return the manifest's digest.

    Args:
        catalog: where the index lies.
        live: the live publication.
        remaining: ``example_id`` and ``database_id`` of all rows that stay.
        databases: what each database holds then.

    """
    if live.values_digest is None:
        return None
    stored, before = Dictionaries(catalog.root), catalog.databases(live)
    keys = _kept_keys(stored, live)
    kept = {name: keys[name] for name, content in databases.items() if name in keys and before.get(name) == content}
    changed = {name: content for name, content in databases.items() if name not in kept}
    samples = {name: _known_sample(stored, keys.get(name)) for name in changed}
    table = catalog.open_publication(live)
    staying = pa.chunked_array([remaining["example_id"].combine_chunks()])
    columns = ["example_id", "database_id", "natural_query", "values"]
    parts = [catalog.read_rows(table, database_id).select(columns) for database_id in changed]
    rows = pa.concat_tables(parts) if parts else table.schema.empty_table().select(columns)
    rows = rows.filter(pc.is_in(rows["example_id"], value_set=staying))
    return stored.publish(kept | _learned(stored, rows, changed, samples))


def _kept_keys(stored: Dictionaries, live: Publication) -> dict[str, str]:
    try:
        return stored.keys(live.values_digest)
    except DictionaryNotFoundError as error:
        logger.warning("%s", error)
        return {}


def _known_sample(stored: Dictionaries, key: str | None) -> Sample:
    """Return the sample behind a dictionary. Nothing taken back may stay for want of one, so a lost one is none."""
    try:
        return stored.read_sample(key) if key else ()
    except DictionaryNotFoundError as error:
        logger.warning("values sampled from a database are left out until the next run: %s", error)
        return ()
