"""Where each row of a version stands: in which file, and at which place of it.

The record of a version (``rows.parquet``) says so without any data file being opened. A version that has none, or that
has other columns than the one it is compared with, is read file by file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from feedback_pipeline.finetune.catalog import (
    DamagedReleaseError,
    Release,
    ReleaseCatalog,
    read_data,
    split_of_file,
)
from feedback_pipeline.finetune.content import record as records
from feedback_pipeline.finetune.content.kind import DatasetKind, kind_of
from feedback_pipeline.finetune.content.record import Record
from feedback_pipeline.finetune.content.rows import FINGERPRINT_BYTES, SPLITS, fingerprints_of
from feedback_pipeline.finetune.content.splits import row_keys

_SHARD = re.compile(r".*/(?P<split>\w+)-(?P<number>\d+)-of-\d+\.parquet")
_KEY_BYTES = 8


@dataclass(frozen=True)
class RowPlaces:
    """All rows of a version ordered by key; arrays of shape (rows,).

    Attributes:
        release: the version.
        keys: row_ids as numbers of 64 bits, ascending.
        questions: what a question, on its database where it has one, is recognised by.
        splits: as places in SPLITS.
        prints: what tells rows apart: bytes of shape (rows, 16).
        files: paths of the files with the canonical rows.
        file_of: the number of the file that a row is in.
        place: where in that file it is.
    """

    release: Release
    keys: np.ndarray
    questions: np.ndarray
    splits: np.ndarray
    prints: np.ndarray
    files: Sequence[str]
    file_of: np.ndarray
    place: np.ndarray

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Return where each key stands here, -1 where it does not."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1)

    def read(self, rows: np.ndarray) -> pa.Table:
        """Return some rows by their numbers, in this order, with all columns their version has.

        One file is held at a time. Raises DamagedReleaseError where a file is not what the manifest says.
        """
        homes = self.file_of[rows]
        parts, numbers = [], []
        for home in np.unique(homes):
            here = np.flatnonzero(homes == home)
            parts.append(self._of_file(int(home), rows[here]))
            numbers.append(here)
        if not parts:
            return kind_of(self.release.manifest).rows.empty_table()
        back = np.argsort(np.concatenate(numbers), kind="stable")
        return pa.concat_tables(parts).take(pa.array(back))

    def _of_file(self, number: int, rows: np.ndarray) -> pa.Table:
        path = self.files[number]
        table = data_of(path)
        places = self.place[rows]
        if places.max() < table.num_rows:
            found = table.take(pa.array(places))
            if (row_keys(found["row_id"]) == self.keys[rows]).all():
                return found
        raise DamagedReleaseError(
            f"{path} holds other rows than {self.release.path}/{records.FILE} says; 'feedback-pipeline dataset check' "
            "tells what is wrong; restore the version from a backup"
        )


def data_of(path: str) -> pa.Table:
    """Return a data file. Raises DamagedReleaseError where it cannot be read."""
    try:
        return read_data(path)
    except (OSError, pa.ArrowException) as error:
        raise DamagedReleaseError(f"{path} is missing or damaged ({error}); restore it from a backup") from error


def columns_of(release: Release) -> list[str]:
    """Return the columns of a version's canonical rows."""
    manifest = release.manifest
    configs = manifest.get("configs") or {"default": {"schema": manifest["schema"]}}
    return list(configs["default"]["schema"]) if "default" in configs else kind_of(manifest).rows.names


def recorded_places(catalog: ReleaseCatalog, release: Release) -> RowPlaces | None:
    """Return the places that the record of a version tells, None where it has no record.

    Raises:
        DamagedReleaseError: the record cannot be read, or does not fit the files of the manifest.
    """
    if not release.names_file(records.FILE):
        return None
    everything = catalog.record_of(release)
    record = everything.select(everything.present)
    file_of, place = _in_shards(release, record)
    return RowPlaces(
        release, record.keys.row, record.keys.question, record.splits, record.prints, release.data_files, file_of, place
    )


def _in_shards(release: Release, record: Record) -> tuple[np.ndarray, np.ndarray]:
    """Return file and place of each row: the rows of a shard are ordered by key."""
    numbered = {
        (SPLITS.index(match["split"]), int(match["number"])): number
        for number, path in enumerate(release.data_files)
        if (match := _SHARD.fullmatch(path)) and match["split"] in SPLITS
    }
    shards, homes = np.unique(record.shards.astype(np.int64) * len(SPLITS) + record.splits, return_inverse=True)
    try:
        pairs = ((shard % len(SPLITS), shard // len(SPLITS)) for shard in shards.tolist())
        files = np.array([numbered[pair] for pair in pairs], np.int64)
    except KeyError as error:
        raise DamagedReleaseError(
            f"{release.path}/{records.FILE} names a file that the manifest does not; restore the version from a backup"
        ) from error
    order = np.argsort(homes, kind="stable")
    sizes = np.bincount(homes, minlength=len(shards))
    place = np.empty(len(homes), np.int64)
    place[order] = np.arange(len(homes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return files[homes] if len(homes) else homes, place


def read_places(release: Release, columns: Sequence[str]) -> RowPlaces:
    """Return the places of all rows by reading them; rows are told apart by ``columns`` alone.

    Raises:
        DamagedReleaseError: a file cannot be read.
    """
    kind = kind_of(release.manifest)
    parts = [_parts_of(path, columns, number, kind) for number, path in enumerate(release.data_files)]
    parts = [part for part in parts if len(part[0])] or [_NOTHING]
    keys, questions, splits, prints, file_of, place = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    return RowPlaces(
        release,
        keys[order],
        questions[order],
        splits[order],
        prints[order],
        release.data_files,
        file_of[order],
        place[order],
    )


_NOTHING = (
    *(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int8)),
    *(np.zeros((0, FINGERPRINT_BYTES), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64)),
)


def _parts_of(path: str, columns: Sequence[str], number: int, kind: DatasetKind) -> tuple[np.ndarray, ...]:
    table = data_of(path)
    count = table.num_rows
    compared = [_as_now(table[name], name, kind) for name in columns]
    asked = fingerprints_of([table[kind.place], table[kind.question]])[:, :_KEY_BYTES]
    return (
        row_keys(table["row_id"]),
        np.ascontiguousarray(asked).view(np.uint64).reshape(-1),
        np.full(count, SPLITS.index(split_of_file(path)), np.int8),
        fingerprints_of(compared),
        np.full(count, number, np.int64),
        np.arange(count),
    )


def _as_now(column: pa.ChunkedArray, name: str, kind: DatasetKind) -> pa.ChunkedArray:
    """Return a column with the type it has now: an earlier format stored some as other numbers."""
    return column.cast(kind.rows.field(name).type) if name in kind.rows.names else column
