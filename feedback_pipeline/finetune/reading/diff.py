"""What differs between two versions of a dataset: rows that came, left, changed, or went to another split.

Which rows those are is told by the records; only the rows that are asked for are then read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.content.kind import DatasetKind, kind_of
from feedback_pipeline.finetune.content.rows import SPLITS
from feedback_pipeline.finetune.reading.row_places import RowPlaces, columns_of, read_places, recorded_places

KINDS = ("added", "removed", "changed", "moved")

SPLIT = "split"
"""Stands beside the columns of a row that has moved."""

_WEIGHT_DIGITS = 9


@dataclass(frozen=True)
class RowDifference:
    """One row that is not the same in both versions.

    Attributes:
        kind: one of KINDS. A row that has changed and moved is told twice.
        row_id: the row.
        database_id: as the newer version that has the row tells it, like all that follows; the source of a query.
        question: in the user's words.
        sql: the verified SQL; of a query the passage that was most helpful, blank where none was.
        feedback_ids: what the row rests on: feedback, or interactions.
        split: where it is; where it was, if it was removed.
        columns: what differs in it: (before, after) by column.
        same_question: of an added row the one that answered the same question before; of a removed one that which
            does now; None where there is none.
    """

    kind: str
    row_id: str
    database_id: str
    question: str
    sql: str
    feedback_ids: list[str]
    split: str
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    same_question: str | None = None


@dataclass(frozen=True)
class Diff:
    """Two versions side by side.

    Attributes:
        before: the earlier version.
        after: the later version.
        columns: those that both versions have: only they are compared.
        rows: numbers of rows by kind: of ``after`` for those added, of ``before`` for those removed, and for those
            changed and moved of both, as an array of shape (2, rows).
    """

    before: RowPlaces
    after: RowPlaces
    columns: tuple[str, ...]
    rows: Mapping[str, np.ndarray]

    @property
    def kind(self) -> DatasetKind:
        """Of the dataset."""
        return kind_of(self.after.release.manifest)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        return {kind: self.rows[kind].shape[-1] for kind in KINDS}

    @cached_property
    def conditions(self) -> dict[str, tuple[Any, Any]]:
        """What both versions were made under and that is not the same: thresholds, prompts, columns."""
        old, new = self.before.release, self.after.release
        pairs = {name: _of_both("thresholds", name, old, new) for name in _names("thresholds", old, new)}
        pairs["prompts"] = _of_both("rendering", "prompts", old, new)
        pairs["columns"] = (columns_of(old), columns_of(new))
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def compare(catalog: ReleaseCatalog, before: Release, after: Release) -> Diff:
    """Return what differs between two versions that are not revoked.

    Raises:
        DamagedReleaseError: a record, or a file where there is none, cannot be read.
    """
    there = set(columns_of(after))
    columns = [name for name in columns_of(before) if name in there]
    old, new = _both_places(catalog, before, after, columns)
    was, now = new.find(old.keys), old.find(new.keys)
    common = np.flatnonzero(now >= 0)
    pairs = np.stack([now[common], common])
    changed = (old.prints[pairs[0]] != new.prints[pairs[1]]).any(axis=1)
    moved = old.splits[pairs[0]] != new.splits[pairs[1]]
    rows = {
        "added": np.flatnonzero(now < 0),
        "removed": np.flatnonzero(was < 0),
        "changed": pairs[:, changed],
        "moved": pairs[:, moved],
    }
    return Diff(old, new, tuple(columns), rows)


def _both_places(
    catalog: ReleaseCatalog, before: Release, after: Release, columns: list[str]
) -> tuple[RowPlaces, RowPlaces]:
    """Return the places of both versions, their rows told apart in the same way."""
    if columns_of(before) == columns_of(after):
        old, new = recorded_places(catalog, before), recorded_places(catalog, after)
        if old is not None and new is not None:
            return old, new
    return read_places(before, columns), read_places(after, columns)


def differences(diff: Diff, kind: str, limit: int | None = None) -> list[RowDifference]:
    """Return the rows of one kind, ordered by row_id; only the first ``limit`` where that is given.

    Raises:
        DamagedReleaseError: a data file cannot be read, or holds other rows than its version says.
    """
    rows = diff.rows[kind][..., :limit]
    if kind in ("added", "removed"):
        return _one_sided(diff, kind, rows)
    old, new = diff.before.read(rows[0]).to_pylist(), diff.after.read(rows[1]).to_pylist()
    splits = zip(diff.before.splits[rows[0]].tolist(), diff.after.splits[rows[1]].tolist(), strict=True)
    return [
        _row(diff, kind, now, SPLITS[to], columns=_moved(kind, at, to) | _changed_columns(was, now, diff.columns))
        for was, now, (at, to) in zip(old, new, splits, strict=True)
    ]


def _one_sided(diff: Diff, kind: str, rows: np.ndarray) -> list[RowDifference]:
    here, other = (diff.after, diff.before) if kind == "added" else (diff.before, diff.after)
    rivals = _with_same_question(here.questions[rows], other) if diff.kind.has_one_answer else [None] * len(rows)
    told = here.read(rows).to_pylist()
    splits = here.splits[rows].tolist()
    return [
        _row(diff, kind, row, SPLITS[split], same_question=rival)
        for row, split, rival in zip(told, splits, rivals, strict=True)
    ]


def _with_same_question(questions: np.ndarray, places: RowPlaces) -> list[str | None]:
    order = np.argsort(places.questions, kind="stable")
    if not len(order):
        return [None] * len(questions)
    at = np.minimum(np.searchsorted(places.questions, questions, sorter=order), len(order) - 1)
    found = order[at]
    same = places.questions[found] == questions
    return [f"{key:016x}" if is_same else None for key, is_same in zip(places.keys[found].tolist(), same, strict=True)]


def _row(diff: Diff, kind: str, row: dict[str, Any], split: str, **more: Any) -> RowDifference:
    of = diff.kind
    answer = row[of.answer]
    shown = answer if isinstance(answer, str) else next(iter(answer), "")
    return RowDifference(kind, row["row_id"], row[of.place], row[of.question], shown, row[of.origins], split, **more)


def _moved(kind: str, at: int, to: int) -> dict[str, tuple[Any, Any]]:
    return {SPLIT: (SPLITS[at], SPLITS[to])} if kind == "moved" else {}


def _changed_columns(was: dict[str, Any], now: dict[str, Any], columns: tuple[str, ...]) -> dict[str, tuple[Any, Any]]:
    pairs = ((name, was[name], now[name]) for name in columns)
    return {name: (old, new) for name, old, new in pairs if _comparable(old) != _comparable(new)}


def _comparable(value: Any) -> Any:
    """Return a value, numbers as far as they tell rows apart: an earlier format stored some as whole numbers."""
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    return round(value, _WEIGHT_DIGITS) if isinstance(value, float) else value


def _names(section: str, *releases: Release) -> list[str]:
    return sorted({name for release in releases for name in release.manifest.get(section, {})})


def _of_both(section: str, name: str, old: Release, new: Release) -> tuple[Any, Any]:
    return old.manifest.get(section, {}).get(name), new.manifest.get(section, {}).get(name)
