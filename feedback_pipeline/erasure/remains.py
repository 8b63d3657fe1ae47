"""What came back after an erasure was done: a run that had read before, and wrote afterwards, may bring rows back.

The journal knows the ids of all that was erased; each table, release and publication is searched for them once.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.example_index.catalog import IndexCatalog, Publication
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store
from feedback_pipeline.store.erasures import erased_feedback, erased_interactions, last_search, note_search, reopen
from feedback_pipeline.tables.stages import StageTables

_IDS = {"feedback_id", "feedback_ids", "interaction_id", "interaction_ids"}
"""The columns that name what was given: one id, or a list of them."""


@dataclass(frozen=True)
class _Search:
    """The erasures with remains, and what is clean: noted with the erasure that was done last."""

    found: list[str] = field(default_factory=list)
    noted_with: str | None = None
    searched: list[str] = field(default_factory=list)


def came_back(settings: Settings, store: Store) -> list[str]:
    """Return the erasures, all done, of which anything stands in what was written since; changes nothing.

    One cheap query where nothing was ever erased; where nothing was written since the last search, a listing of files.
    """
    return _search(settings, store).found


def reopen_what_came_back(settings: Settings, store: Store) -> list[str]:
    """Open again the erasures that ``came_back`` names, note what has been searched, and return them."""
    search = _search(settings, store)
    if search.found:
        reopen(store, search.found)
    elif search.noted_with is not None:
        note_search(store, search.noted_with, search.searched)
    return search.found


def _search(settings: Settings, store: Store) -> _Search:
    last = last_search(store)
    if last is None:
        return _Search()
    erasure_id, before = last
    present = dict(_places(settings))
    read = {name: _read(present[name]) for name in sorted(present.keys() - before)}
    if not read:
        return _Search()
    mentioned = _mentioned([table for table in read.values() if table is not None])
    interactions = erased_interactions(store)
    erased = {one: {*ids, *map(str, interactions[one])} for one, ids in erased_feedback(store).items()}
    found = [one for one, ids in erased.items() if not mentioned.isdisjoint(ids)]
    return _Search(found, erasure_id, sorted(name for name in present if read.get(name, True) is not None))


def _places(settings: Settings) -> Iterator[tuple[str, Callable[[], pa.Table]]]:
    """Name all that is written once and never changed, each with how to read it."""
    root = settings.storage_root
    tables, releases, index = StageTables(root), ReleaseCatalog(root), IndexCatalog(root)
    for path in tables.files():
        yield "/".join(path.split("/")[-3:]), lambda path=path: tables.read_file(path)
    for name in releases.names():
        for release in releases.releases(name):
            if not release.revoked:
                yield f"{name}@v{release.version}", lambda release=release: releases.feedback_behind(release)
    for publication in index.publications():
        # The number alone is not enough: the files behind a publication change when another user is erased.
        key = f"index@v{publication.version}:{publication.table_version}"
        yield key, lambda publication=publication: _ids_in(index, publication)


def _ids_in(index: IndexCatalog, publication: Publication) -> pa.Table:
    return index.open_publication(publication).search().select(["feedback_ids"]).limit(None).to_arrow()


def _read(reader: Callable[[], pa.Table]) -> pa.Table | None:
    try:
        return reader()
    except FileNotFoundError:
        # Replaced since it was listed; what replaced it is searched next time.
        return None


def _mentioned(tables: list[pa.Table]) -> Set[str]:
    """Return the ids of feedback and, as text, of interactions that tables name."""
    ids: set[str] = set()
    for table in tables:
        for name in _IDS & set(table.column_names):
            column = table[name]
            flat = pc.list_flatten(column) if pa.types.is_nested(column.type) else column
            ids.update(pc.unique(flat.cast(pa.string())).to_pylist())
    return ids
