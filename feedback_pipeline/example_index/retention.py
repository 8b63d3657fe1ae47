"""How many publications are kept: older ones go, and with them the files that only they need.

LanceDB tells what to remove by age alone and refuses where a tag holds one that old. So tags go first, and then all
that is older than the oldest publication kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from feedback_pipeline.example_index.catalog import LIVE, TABLE, IndexCatalog, Publication
from feedback_pipeline.example_index.dictionaries import Dictionaries
from feedback_pipeline.tables.files import filesystem, read_json

if TYPE_CHECKING:
    from lancedb.table import Table

logger = logging.getLogger(__name__)

KEPT_PUBLICATIONS = 20
_TRIES = 3


def prune(catalog: IndexCatalog, keep: int) -> list[int]:
    """Remove all but the newest ``keep`` publications and the live one; return the numbers of those removed.

    The caller holds the lock of publishers. A crash at any step leaves the live publication and all newer ones whole,
    and the next call finishes. A reader still pinned to a publication that goes has to open the index again.

    Raises:
        ValueError: ``keep`` is less than 1.

    """
    if keep < 1:
        raise ValueError(f"at least 1 publication must be kept, not {keep}")
    live, publications = catalog.live(), catalog.publications()
    newest = {publication.version for publication in publications[-keep:]}
    gone = [p for p in publications if p.version not in newest and (live is None or p.version != live.version)]
    table = catalog.open_table()
    for publication in gone:
        table.tags.delete(f"v{publication.version}")
    # Notes go last, so one that no tag points at tells that a call before this one did not finish.
    if _notes_to_sweep(catalog):
        if live is not None and live.version not in newest:
            move_live(catalog, live)
        if _remove_untagged(catalog):
            sweep_notes(catalog)
    return [publication.version for publication in gone]


def same_files_again(catalog: IndexCatalog, publication: Publication) -> Table:
    """Make a publication the newest LanceDB version, on the same files: older ones can then be removed by age."""
    table = catalog.open_table()
    table.checkout(publication.table_version)
    table.restore()
    return table


def move(catalog: IndexCatalog, table: Table, publication: Publication) -> Publication:
    """Let a publication stand for the newest version of ``table``."""
    moved = replace(publication, table_version=table.version)
    catalog.note(moved)
    table.tags.update(f"v{publication.version}", moved.table_version)
    return moved


def move_live(catalog: IndexCatalog, live: Publication) -> None:
    """Move the live publication and its tags onto a new LanceDB version, on the same files."""
    table = same_files_again(catalog, live)
    moved = move(catalog, table, live)
    table.tags.update(LIVE, moved.table_version)


def remove_older_files(catalog: IndexCatalog, age: Callable[[], timedelta], *, delete_unverified: bool = False) -> None:
    """Remove all LanceDB versions older than ``age`` says, and every file that only they need.

    Raises:
        RuntimeError: a tag points at one of them; nothing was removed.

    """
    table = catalog.open_table()
    newest = table.version
    # ``optimize`` would also merge files of the newest version, sorted ones with others. Of an empty one it cannot.
    empty = catalog.connect().create_table(TABLE, schema=pa.schema(table.schema), mode="overwrite")
    try:
        empty.optimize(cleanup_older_than=age(), delete_unverified=delete_unverified)
    finally:
        empty.checkout(newest)
        empty.restore()


def sweep_notes(catalog: IndexCatalog) -> None:
    """Remove what only publications that are gone needed beside the table: notes, contents, dictionaries.

    The notes of revoked publications stay.
    """
    live = catalog.live()
    present = [*catalog.publications(), *([live] if live else [])]
    for path in _notes_to_sweep(catalog):
        filesystem(path)[0].rm_file(path)
    catalog.sweep_databases(present)
    Dictionaries(catalog.root).sweep(publication.values_digest for publication in present)


def _notes_to_sweep(catalog: IndexCatalog) -> list[str]:
    """Return the notes of LanceDB versions that no tag points at, those of revoked publications aside."""
    tagged = {tag["version"] for tag in catalog.open_table().tags.list().values()}
    untagged = [path for version, path in catalog.notes() if version not in tagged]
    return [path for path in untagged if "revoked" not in (read_json(path) or {})]


def _remove_untagged(catalog: IndexCatalog) -> bool:
    """Remove what is older than the oldest tagged version; tell whether that was possible."""
    table = catalog.open_table()
    made = {item["version"]: item["timestamp"] for item in table.list_versions()}
    oldest = min((made[tag["version"]] for tag in table.tags.list().values()), default=None)
    older = [moment for moment in made.values() if oldest is not None and moment < oldest]
    if oldest is None or not older:
        return True
    # Halfway between, for LanceDB looks at the age a little later than it is reckoned.
    between = max(older) + (oldest - max(older)) / 2
    for _ in range(_TRIES):
        try:
            remove_older_files(catalog, lambda: datetime.now(between.tzinfo) - between)
        except RuntimeError as error:
            # On a busy machine it looks so late that what is kept counts as old; then nothing is removed.
            logger.debug("files of removed publications are still there: %s", error)
        else:
            return True
    logger.warning("files of removed publications stay until the next publication")
    return False
