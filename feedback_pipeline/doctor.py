"""Looks at everything a deployment stands on, and says how to mend what is wrong."""

import difflib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from dotenv import dotenv_values

from feedback_pipeline.curation.encoder import ModelNotFoundError, SentenceEncoder
from feedback_pipeline.erasure.remains import came_back
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.dictionaries import Dictionaries
from feedback_pipeline.example_index.query_encoder import open_encoder
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Database,
    DatabaseUnreachableError,
    HashKeyError,
    Store,
    StoreUnavailableError,
    count_by_status,
    current_fingerprint,
    list_databases,
    open_erasures,
    open_store,
)
from feedback_pipeline.tables.files import filesystem, write_bytes

_LOW_DISK_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``ok``, ``warning`` (works, but look at it) or ``wrong`` (mend it), with what to do."""

    subject: str
    state: Literal["ok", "warning", "wrong"]
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at settings, storage, store, model, index, releases and registered databases, in that order."""
    yield from _variables()
    yield _look("storage", lambda: _storage(settings))
    yield _disk(settings)
    store, finding = _store(settings)
    yield finding
    if store is not None:
        yield _hash_key(store)
        yield _look("erasures", lambda: _erasures(settings, store))
    yield _look("model", lambda: _model(settings))
    yield _look("index", lambda: _index(settings))
    yield _look("releases", lambda: _releases(settings))
    if store is not None:
        yield from _databases(store)
        store.close()


def _look(subject: str, look: Callable[[], Finding]) -> Finding:
    """Return the finding; whatever goes wrong on the way is one."""
    try:
        return look()
    except (OSError, ValueError, LookupError, RuntimeError, ImportError, TypeError) as error:
        return Finding(subject, "wrong", " ".join(str(error).split()) or type(error).__name__)


def _variables() -> Iterator[Finding]:
    known = {f"FEEDBACK_{name.upper()}" for name in Settings.model_fields}
    given = {*os.environ, *dotenv_values(".env")}
    strangers = sorted(name for name in given if name.upper().startswith("FEEDBACK_") and name.upper() not in known)
    for name in strangers:
        close = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; unset it"
        yield Finding("settings", "warning", f"{name} is no setting and has no effect{hint}")
    if not strangers:
        yield Finding("settings", "ok", "all FEEDBACK_ variables are known and valid")


def _storage(settings: Settings) -> Finding:
    probe = settings.path(".doctor")
    write_bytes(probe, b"probe")
    fs, inner = filesystem(probe)
    fs.rm_file(inner)
    return Finding("storage", "ok", f"{settings.storage_root} can be written")


def _disk(settings: Settings) -> Finding:
    root = next(folder for folder in (settings.local_root, *settings.local_root.parents) if folder.is_dir())
    free = shutil.disk_usage(root).free
    text = f"{free / 1024**3:.1f} GiB free at {root}"
    return Finding("disk", "ok" if free > _LOW_DISK_BYTES else "warning", text)


def _store(settings: Settings) -> tuple[Store | None, Finding]:
    try:
        store = open_store(settings)
        total = sum(count_by_status(store).values())
    except StoreUnavailableError as error:
        return None, Finding("store", "wrong", str(error))
    return store, Finding("store", "ok", f"{store.engine.dialect.name}, schema current, {total:,} corrections")


def _hash_key(store: Store) -> Finding:
    try:
        store.hash_user("doctor")
    except HashKeyError as error:
        return Finding("hash key", "wrong", str(error))
    return Finding("hash key", "ok", "user ids can be hashed")


def _erasures(settings: Settings, store: Store) -> Finding:
    if waiting := open_erasures(store):
        return Finding("erasures", "warning", f"{len(waiting)} not finished; 'feedback-pipeline run' goes on with them")
    if back := came_back(settings, store):
        text = f"rows of {len(back)} came back with a run that ended later; 'feedback-pipeline run' removes them"
        return Finding("erasures", "warning", text)
    return Finding("erasures", "ok", "none is waiting")


def _model(settings: Settings) -> Finding:
    encoder = SentenceEncoder(settings.embedding_model)
    text = f"{settings.embedding_model} ({encoder.fingerprint}, {encoder.dimension} dimensions)"
    return Finding("model", "ok", text)


def _index(settings: Settings) -> Finding:
    catalog = IndexCatalog(settings.storage_root)
    if not catalog.exists():
        return Finding("index", "ok", "nothing published yet; 'feedback-pipeline run' publishes the first")
    live = catalog.of_table_version(catalog.live_table_version(catalog.open_table()))
    open_encoder(settings.storage_root, live.model_fingerprint)
    dictionaries = Dictionaries(settings.storage_root)
    for key in dictionaries.keys(live.values_digest).values():
        dictionaries.read(key)
    readable = catalog.open_publication(live).search().limit(None).to_arrow().num_rows
    if readable != live.rows:
        return Finding(
            "index", "wrong", f"{readable:,} of {live.rows:,} examples can be read; restore the index folder"
        )
    if _other_model(settings, live.model_fingerprint):
        text = f"version {live.version} was made with another model; 'feedback-pipeline run' makes one with the present"
        return Finding("index", "warning", text)
    return Finding("index", "ok", f"version {live.version} is live with {live.rows:,} examples")


def _other_model(settings: Settings, fingerprint: str) -> bool:
    try:
        return SentenceEncoder(settings.embedding_model).fingerprint != fingerprint
    except ModelNotFoundError:
        return False


def _releases(settings: Settings) -> Finding:
    catalog = ReleaseCatalog(settings.storage_root)
    latest = [release for name in catalog.names() if (release := catalog.latest(name))]
    files = [
        (f"{release.path}/{file['path']}", file["bytes"]) for release in latest for file in release.manifest["files"]
    ]
    damaged = [path for path, size in files if _size(path) != size]
    if damaged:
        text = f"{damaged[0]} is missing or cut short; restore it or delete that version and run again"
        return Finding("releases", "wrong", text)
    names = ", ".join(f"{release.name} v{release.version}" for release in latest) or "none yet"
    return Finding("releases", "ok", names)


def _size(path: str) -> int | None:
    fs, inner = filesystem(path)
    return fs.size(inner) if fs.exists(inner) else None


def _databases(store: Store) -> Iterator[Finding]:
    for database in list_databases(store):
        subject = f"database {database.database_id}"
        if database.url is None:
            known = (
                "schema known" if database.schema else "no schema, so names in SQL stay unchecked; add --url or --ddl"
            )
            yield Finding(subject, "ok" if database.schema else "warning", known)
            continue
        yield _reach(subject, lambda database=database: _is_as_registered(database))


def _is_as_registered(database: Database) -> bool:
    """Look at the schema; one given as DDL stands, whatever the database says."""
    found = current_fingerprint(database)
    return found == database.schema_fingerprint or not database.is_followed


def _reach(subject: str, is_current: Callable[[], bool]) -> Finding:
    try:
        current = is_current()
    except DatabaseUnreachableError as error:
        return Finding(subject, "wrong", str(error))
    if not current:
        text = "its schema has changed; the next run follows it, or 'feedback-pipeline databases refresh' now"
        return Finding(subject, "warning", text)
    return Finding(subject, "ok", "reachable, schema as registered")
