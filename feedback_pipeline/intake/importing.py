"""Importing files: rows are read, validated and stored in batches; what is wrong goes to a rejects file.

Every batch is one transaction and every row has a key, so an import that was interrupted is simply run again.
"""

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from feedback_pipeline.checking import ExecutingChecker, checker_from
from feedback_pipeline.intake import values
from feedback_pipeline.intake.mapping import CORRECTION_FIELDS, INTERACTION_FIELDS, ColumnMapping
from feedback_pipeline.intake.readers import check_readable, read_rows
from feedback_pipeline.intake.rejects import Rejects, rejects_of
from feedback_pipeline.intake.report import FileReport, ImportReport
from feedback_pipeline.intake.rows import Row
from feedback_pipeline.intake.stored import count_differing
from feedback_pipeline.intake.validation import Limits, RowError, read_correction, read_interaction
from feedback_pipeline.intake.verifying import Verifier
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    NOT_STORED,
    Interaction,
    Store,
    Submission,
    list_databases,
    opted_out_users,
    record_many,
    submit_many,
)
from feedback_pipeline.store.types import canonical_json

ROWS_PER_TRANSACTION = 1_000

Item = Submission | Interaction
OnProgress = Callable[[Path, int], None]
"""Called after each batch with the file and the number of its bytes that are read."""


def import_corrections(
    store: Store,
    paths: Iterable[Path],
    *,
    settings: Settings,
    source: str = "import",
    mapping: Mapping[str, str] | None = None,
    verify_as: str | None = None,
    checker: ExecutingChecker | None = None,
    now: datetime | None = None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Store the text-to-SQL corrections in ``paths``; each (source, client_key) once, however often it is imported.

    Args:
        store: where they go.
        paths: files of the formats that ``readers`` knows.
        settings: limits, and where rejects go.
        source: label of where they come from; keys are unique within it.
        mapping: {our field: their column}.
        verify_as: reviewer in whose name all that pass the checks are verified; others stay pending.
        checker: made from the registered databases by default.
        now: what counts as the present when times are judged.
        on_progress: is told how far each file is read.

    Raises:
        InputFileError: a file cannot be read; what came before is stored.
        MappingError: a mapping names no field of ours.
        StoreUnavailableError: the store cannot be written; complete batches are stored.

    """
    report = ImportReport("corrections", source)
    verifier = None
    if verify_as is not None:
        verifier = Verifier(store, checker or checker_from(store, settings), verify_as, report)
    desk = _Corrections(report, ColumnMapping(CORRECTION_FIELDS, mapping or {}), settings, store, now, on_progress)
    desk.verifier = verifier
    return desk.run(list(paths))


def import_interactions(
    store: Store,
    paths: Iterable[Path],
    *,
    settings: Settings,
    source: str = "import",
    mapping: Mapping[str, str] | None = None,
    now: datetime | None = None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Store the interactions in ``paths`` with their chunks and ratings; like ``import_corrections``."""
    report = ImportReport("interactions", source)
    columns = ColumnMapping(INTERACTION_FIELDS, mapping or {})
    return _Interactions(report, columns, settings, store, now, on_progress).run(list(paths))


@dataclass(frozen=True)
class Kept:
    """What became of a batch: how many items are new, and how many were refused because their user has opted out."""

    new: int
    opted_out: int


@dataclass
class _Import(ABC):
    """One run of an import; what differs between kinds of rows is in the subclasses."""

    report: ImportReport
    columns: ColumnMapping
    settings: Settings
    store: Store
    now: datetime | None
    on_progress: OnProgress | None
    registered: set[str] = field(init=False)
    opted_out: set[str] = field(init=False)
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        self.limits = Limits.of(self.settings, self.now)
        self.registered = {database.database_id for database in list_databases(self.store)}
        self.opted_out = opted_out_users(self.store)

    @abstractmethod
    def build(self, fields: Mapping[str, Any]) -> Item:
        """Return what to store of one row. Raises RowError."""

    @abstractmethod
    def keep(self, items: Sequence[Any]) -> Kept:
        """Store one batch."""

    def finish(self) -> None:  # noqa: B027 - most imports have nothing left to do
        """Do what is to be done when all rows are stored."""

    def run(self, paths: list[Path]) -> ImportReport:
        for path in paths:
            check_readable(path)
        for path in paths:
            self._import_file(path)
        self.finish()
        self.report.ignored_fields = sorted(self.columns.ignored)
        self.report.missing_columns = self.columns.missing
        return self.report

    def _import_file(self, path: Path) -> None:
        tally = FileReport(path)
        self.report.files.append(tally)
        with rejects_of(path, self.settings) as rejects:
            for rows in _batches(read_rows(path)):
                self._import_batch(rows, tally, rejects)
                if self.on_progress is not None:
                    self.on_progress(path, rows[-1].offset)
        tally.rejects_path = rejects.target if rejects.count else None

    def _import_batch(self, rows: list[Row], tally: FileReport, rejects: Rejects) -> None:
        rejected_before = rejects.count
        items = self._good_items(rows, rejects)
        kept = self.keep(items) if items else Kept(0, 0)
        rejected = rejects.count - rejected_before
        tally.read += len(rows)
        tally.stored += kept.new
        tally.already_known += len(items) - kept.new - kept.opted_out
        tally.rejected += rejected
        # Besides those the store refused there are rows that could not be read and must not be written down either.
        tally.opted_out += len(rows) - len(items) - rejected + kept.opted_out
        ids = (item.database_id for item in items if item.database_id is not None)
        self.report.unregistered_databases.update(i for i in ids if i not in self.registered)

    def _good_items(self, rows: list[Row], rejects: Rejects) -> list[Item]:
        items: list[Item] = []
        first: dict[str, tuple[Row, Item]] = {}
        for row in rows:
            try:
                item = self._read(row)
                _refuse_other_content(item, first.setdefault(str(item.client_key), (row, item)))
            except RowError as error:
                user_hash = self._user_hash(row)
                if user_hash in self.opted_out:
                    continue
                rejects.add(row, error.field, error.reason, user_hash)
                self.report.rejected_fields[error.field or "row"] += 1
            else:
                items.append(item)
        return items

    def _user_hash(self, row: Row) -> str | None:
        """Return whose a row is that was refused, as far as it can be read."""
        if row.record is None:
            return None
        try:
            user_id = values.key(self.columns.apply(row.record).get("user_id"))
        except ValueError:
            return None
        return None if user_id is None else self.store.hash_user(user_id)

    def _read(self, row: Row) -> Item:
        if row.record is None:
            raise RowError(None, row.defect or "cannot be read")
        item = self.build(self.columns.apply(row.record))
        if item.client_key is None:
            item = dataclasses.replace(item, client_key=_key_from_content(item, self.store))
        return item


@dataclass
class _Corrections(_Import):
    verifier: Verifier | None = None

    def build(self, fields: Mapping[str, Any]) -> Submission:
        return read_correction(fields, self.report.source, self.limits)

    def keep(self, items: Sequence[Submission]) -> Kept:
        results = submit_many(self.store, items)
        self.report.differing += count_differing(self.store, items, results)
        if self.verifier is not None:
            self.verifier.add([result.feedback_id for result in results if not result.opted_out])
        return Kept(sum(result.created for result in results), sum(result.opted_out for result in results))

    def finish(self) -> None:
        if self.verifier is not None:
            self.verifier.finish()


@dataclass
class _Interactions(_Import):
    def build(self, fields: Mapping[str, Any]) -> Interaction:
        return read_interaction(fields, self.report.source, self.limits)

    def keep(self, items: Sequence[Interaction]) -> Kept:
        results = record_many(self.store, items)
        return Kept(sum(is_new for _, is_new in results), sum(number == NOT_STORED for number, _ in results))


def _refuse_other_content(item: Item, first: tuple[Row, Item]) -> None:
    row, same_key = first
    if item != same_key:
        raise RowError(
            "client_key", f"{item.client_key!r} stands in row {row.number} too, with another content; give each its own"
        )


def _key_from_content(item: Item, store: Store) -> str:
    """Return a key for a row that brings none: the same content is the same row."""
    content = dataclasses.asdict(item)
    if item.user_id is not None:
        # All else is stored beside the key, so a digest over the raw user id would give it away.
        content["user_id"] = store.hash_user(item.user_id)
    text = canonical_json({name: str(value) for name, value in content.items() if value is not None})
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, ROWS_PER_TRANSACTION)):
        yield batch
