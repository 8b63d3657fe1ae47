"""The values of registered databases, for masking questions.

Brings together ``execution`` (reading them), ``curation`` (which may be used) and the store (where they are). A sample
is made during a run, remembered below the storage root and used again for a day.
"""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from feedback_pipeline.checking import limits_of
from feedback_pipeline.curation.cleaning import CLEANING_VERSION
from feedback_pipeline.curation.privacy import is_secret_name
from feedback_pipeline.curation.sampled_columns import (
    MAX_CHARS,
    SAMPLING_VERSION,
    may_hold_texts,
    sampled_column,
    why_not_by_name,
)
from feedback_pipeline.execution import Target, is_executable
from feedback_pipeline.execution.column_texts import ColumnTexts, Reading, TextColumn, texts_of
from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.sessions import UnreachableError
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Database, Store, databases_by_id
from feedback_pipeline.store.types import canonical_json
from feedback_pipeline.tables.sample_files import SampleFiles, StoredSample, ValueSample

MAX_VALUES = 50_000
"""Values of one database; beyond it the columns with most of them give way."""

FRESH_FOR = timedelta(days=1)
RETRY_AFTER = timedelta(minutes=15)
"""When a database that could not be reached is tried again."""

RUN_S = 600.0
"""No database is begun later than this in one run; the others follow in the next."""

_MAX_QUERY_S = 5.0

logger = logging.getLogger(__name__)


def samples_for(store: Store, settings: Settings, database_ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Return (value, ``table.column``) of each of ``database_ids``; an empty list where nothing can be sampled.

    A database that cannot be read is no error. Raises StoreUnavailableError and StorageError.
    """
    return {database_id: sample.values for database_id, sample in value_samples(store, settings, database_ids).items()}


def value_samples(
    store: Store, settings: Settings, database_ids: Iterable[str], now: datetime | None = None
) -> dict[str, ValueSample]:
    """Return the samples of ``database_ids``, in order: remembered ones, and new ones where these are out of date.

    Samples of databases that are gone, or have no URL any more, are removed. Raises StoreUnavailableError and
    StorageError.
    """
    registered = databases_by_id(store)
    sampled = {i: d for i, d in registered.items() if settings.sampled_values_per_column and is_executable(d.url)}
    files = SampleFiles(settings.storage_root)
    files.keep_only(sampled)
    wanted = sorted(set(database_ids))
    with _sampler(settings, files, now or datetime.now(UTC)) as sampler:
        found = sampler.all([sampled[i] for i in wanted if i in sampled])
    return {database_id: found.get(database_id, ValueSample()) for database_id in wanted}


def sample_values(database: Database, settings: Settings) -> ValueSample:
    """Look at a database now and return what it shows, whatever is remembered. Never fails for the database's sake."""
    with _watched() as watch:
        try:
            return _looked_at(database, settings, watch)
        except UnreachableError as error:
            return ValueSample(problem=str(error))


@contextmanager
def _watched() -> Iterator[Watch]:
    watch = Watch()
    try:
        yield watch
    finally:
        watch.close()


@contextmanager
def _sampler(settings: Settings, files: SampleFiles, now: datetime) -> Iterator["_Sampler"]:
    watch = Watch()
    workers = ThreadPoolExecutor(settings.execution_workers, thread_name_prefix="value-samples")
    try:
        yield _Sampler(settings, files, now, watch, workers)
    finally:
        # Also after Ctrl-C: what still runs is interrupted, what waits is dropped.
        watch.stop()
        workers.shutdown(wait=True, cancel_futures=True)
        watch.close()


@dataclass(frozen=True)
class _Sampler:
    """One call of ``value_samples``: several databases at a time."""

    settings: Settings
    files: SampleFiles
    now: datetime
    watch: Watch
    workers: ThreadPoolExecutor

    def all(self, databases: list[Database]) -> dict[str, ValueSample]:
        due = time.monotonic() + RUN_S
        found = self.workers.map(lambda database: self._one(database, due), databases)
        return dict(zip((database.database_id for database in databases), found, strict=True))

    def _one(self, database: Database, due: float) -> ValueSample:
        source = _source(database, self.settings)
        stored = self.files.read(database.database_id)
        known = stored.sample if stored and stored.source == source else None
        if stored and known and stored.epoch == database.checks_epoch and self._is_fresh(stored):
            return known
        if time.monotonic() > due:
            return replace(known or ValueSample(), problem="not looked at yet: the time of this run was over")
        return self._anew(database, source, known or ValueSample())

    def _is_fresh(self, stored: StoredSample) -> bool:
        # A moment that is yet to come was written by a wrong clock.
        return timedelta(0) <= self.now - stored.moment < (RETRY_AFTER if stored.sample.problem else FRESH_FOR)

    def _anew(self, database: Database, source: str, known: ValueSample) -> ValueSample:
        try:
            sample = _looked_at(database, self.settings, self.watch)
        except UnreachableError as error:
            logger.warning("Database %s: its values cannot be sampled (%s)", database.database_id, error)
            sample = replace(known, problem=str(error))
        stored = StoredSample(database.database_id, source, database.checks_epoch, self.now.isoformat(), sample)
        self.files.write(stored)
        return sample


def _source(database: Database, settings: Settings) -> str:
    """Return a key of all that decides what is found, but for the data itself and the password."""
    parts = {
        "database": database.database_id,
        "dialect": database.dialect,
        "url": _without_password(database.url or ""),
        "schema": database.schema_fingerprint,
        "values_per_column": settings.sampled_values_per_column,
        "unsampled": settings.unsampled_columns,
        "version": f"{SAMPLING_VERSION}.{CLEANING_VERSION}",
    }
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def _without_password(url: str) -> str:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return ""
    secret = [name for name in parsed.query if is_secret_name(name)]
    return parsed.difference_update_query(secret).render_as_string(hide_password=True)


def _looked_at(database: Database, settings: Settings, watch: Watch) -> ValueSample:
    """Read and judge one column after the other. Raises UnreachableError."""
    columns, skipped = _chosen(database, settings)
    limits = limits_of(settings)
    limits = replace(limits, timeout_s=min(limits.timeout_s, _MAX_QUERY_S))
    reading = Reading(settings.sampled_values_per_column, MAX_CHARS)
    target = Target(database.database_id, database.dialect, database.url)
    collected = _Collected(skipped)
    for texts in texts_of(target, columns, limits, reading, watch):
        collected.add(texts)
    return collected.sample()


def _chosen(database: Database, settings: Settings) -> tuple[list[TextColumn], dict[str, str]]:
    """Return the columns that are to be read, and why others are not; columns of other types are not spoken of."""
    columns, skipped = list[TextColumn](), dict[str, str]()
    schema = database.schema or {}
    for column in (TextColumn(table, name) for table in sorted(schema) for name in sorted(schema[table])):
        if not may_hold_texts(schema[column.table][column.name], database.dialect):
            continue
        reason = _why_unsampled(database, column, settings) or why_not_by_name(column.table, column.name)
        if reason:
            skipped[_name(column)] = reason
        else:
            columns.append(column)
    return columns, skipped


def _why_unsampled(database: Database, column: TextColumn, settings: Settings) -> str | None:
    name = f"{database.database_id}.{column.table}.{column.name}".lower()
    patterns = [pattern.strip() for pattern in settings.unsampled_columns.lower().split(",")]
    matching = next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)
    return f"left out by FEEDBACK_UNSAMPLED_COLUMNS ({matching})" if matching else None


class _Collected:
    """The values found so far, never many more than MAX_VALUES."""

    def __init__(self, skipped: dict[str, str]):
        self._skipped = skipped
        self._columns: dict[str, tuple[str, ...]] = {}
        self._first_rows_only: set[str] = set()

    def add(self, read: ColumnTexts) -> None:
        name = _name(read.column)
        judged = None if read.problem else sampled_column(read.column.table, read.column.name, read.texts)
        if judged is None or judged.reason:
            self._skipped[name] = read.problem or (judged.reason if judged else None) or ""
            return
        self._columns[name] = tuple(dict.fromkeys([*self._columns.get(name, ()), *judged.values]))
        if read.first_rows_only:
            self._first_rows_only.add(name)
        if sum(map(len, self._columns.values())) > 2 * MAX_VALUES:
            self._columns = _levelled(self._columns)

    def sample(self) -> ValueSample:
        columns = {name: sorted(values) for name, values in sorted(_levelled(self._columns).items())}
        skipped = {name: why for name, why in sorted(self._skipped.items()) if name not in columns}
        return ValueSample(columns, skipped, sorted(self._first_rows_only))


def _levelled(columns: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Leave each column as many values as let all together have MAX_VALUES; small columns keep all of theirs."""
    left, most = MAX_VALUES, MAX_VALUES
    for behind, size in enumerate(sorted(map(len, columns.values()))):
        most = left // (len(columns) - behind)
        if size > most:
            break
        left -= size
    else:
        return dict(columns)
    return {name: values[:most] for name, values in columns.items()}


def _name(column: TextColumn) -> str:
    return f"{column.table}.{column.name}".lower()
