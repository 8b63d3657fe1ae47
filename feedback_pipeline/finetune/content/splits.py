"""Which split a row is in: decided by a hash of its group once, and remembered for good."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.finetune.content.rows import SPLITS, encoded_rows, row_keys

_TRAIN, _VALIDATION, _TEST = range(len(SPLITS))
_DEVIATIONS = 3.0
KEYED_BY = ("example_id", "database_id", "canonical_question", "sql_skeleton")
"""The columns of schemas.DEDUPED_FEEDBACK that rows are recognised by."""

_ROWS_AT_ONCE = 65_536
_HASH_KEY = "feedback dataset"
"""Key of the hash, 16 characters; another one forgets which questions and skeletons were held out."""
_FEWEST_FOR_SHARES = 100
"""In fewer rows any group is a large share."""


@dataclass(frozen=True)
class Keys:
    """What a row is recognised by in later versions: numbers of 64 bits, of shape (rows,).

    Attributes:
        row: the row itself.
        question: its question on its database.
        skeleton: its SQL skeleton on its database, 0 where there is none.
    """

    row: np.ndarray
    question: np.ndarray
    skeleton: np.ndarray


def keys_of(examples: pa.Table) -> Keys:
    """Return the keys of examples (KEYED_BY); those of questions and skeletons are SipHash, as pandas has it."""
    database = examples["database_id"]
    return Keys(
        row_keys(examples["example_id"]),
        key_of(database, examples["canonical_question"]),
        key_of(database, examples["sql_skeleton"]),
    )


def key_of(*columns: pa.ChunkedArray) -> np.ndarray:
    """Return what rows of these texts are recognised by: numbers of 64 bits, of shape (rows,)."""
    # Trainers need no pandas for what else is here.
    from pandas.util import hash_array

    parts = [np.zeros(0, np.uint64)]
    for start in range(0, len(columns[0]), _ROWS_AT_ONCE):
        texts = encoded_rows([column.slice(start, _ROWS_AT_ONCE) for column in columns]).to_numpy(zero_copy_only=False)
        parts.append(hash_array(texts, hash_key=_HASH_KEY, categorize=False))  # pyright: ignore[reportCallIssue]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Remembered:
    """The split that keys of any kind had in earlier versions: both of shape (keys,), ordered by key."""

    keys: np.ndarray
    splits: np.ndarray

    @staticmethod
    def of(keys: np.ndarray, splits: np.ndarray) -> "Remembered":
        """Keep for each key the split most held out that it ever had."""
        distinct, inverse = np.unique(keys, return_inverse=True)
        highest = np.full(len(distinct), -1, np.int8)
        np.maximum.at(highest, inverse, splits.astype(np.int8))
        return Remembered(distinct, highest)

    def look_up(self, keys: np.ndarray) -> np.ndarray:
        """Return the split of each key, -1 where it is not known."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int8)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.splits[at], -1).astype(np.int8)


def assign_splits(
    groups: np.ndarray, names: pa.Array, remembered: np.ndarray, *, validation_percent: int, test_percent: int
) -> np.ndarray:
    """Return the split of each row as its place in SPLITS; rows of one group share it.

    A group with members that are remembered stays where they were; where groups have merged, all of the union goes to
    the more held-out side, so that nothing that was tested is ever trained on. New groups are placed by ``split_of``,
    but for those larger than a held-out split is to be: they are trained on.

    Args:
        groups: the group of each row, counted from 0.
        names: what each group is called; its hash places it.
        remembered: the split each row had, as its place in SPLITS; -1 where it is new.
        validation_percent: see ``split_of``.
        test_percent: see ``split_of``.
    """
    placed = np.full(len(names), -1, np.int8)
    np.maximum.at(placed, groups, remembered)
    new = np.flatnonzero(placed < 0)
    hashed = _splits_of(names.take(pa.array(new)), validation_percent, test_percent)
    placed[new] = np.where(_too_large(groups, (validation_percent, test_percent))[new], _TRAIN, hashed)
    return placed[groups]


def _too_large(groups: np.ndarray, percents: tuple[int, int]) -> np.ndarray:
    """Return which groups are larger than a held-out split is to be: one of them would leave little to train on."""
    sizes = np.bincount(groups)
    smallest = min((percent for percent in percents if percent), default=100)
    return (len(groups) >= _FEWEST_FOR_SHARES) & (sizes > len(groups) * smallest / 100)


def split_of(name: str, validation_percent: int, test_percent: int) -> int:
    """Return the split of a new group: a hash of its name decides, so it is the same on every machine.

    Args:
        name: of the group.
        validation_percent: share of groups held out for validation, 0-50.
        test_percent: share of groups held out for the test, 0-50.
    """
    return int(_splits_of(pa.array([name]), validation_percent, test_percent)[0])


def _splits_of(names: pa.Array, validation_percent: int, test_percent: int) -> np.ndarray:
    heads = b"".join(
        hashlib.sha256(name.encode()).digest()[:8]
        for start in range(0, len(names), _ROWS_AT_ONCE)
        for name in names.slice(start, _ROWS_AT_ONCE).to_pylist()
    )
    bucket = np.frombuffer(heads, ">u8") % 100
    held_out = np.where(bucket < test_percent + validation_percent, _VALIDATION, _TRAIN)
    return np.where(bucket < test_percent, _TEST, held_out)


def proportions(splits: np.ndarray, groups: np.ndarray, percents: dict[str, int]) -> dict[str, dict[str, object]]:
    """Return what share of the rows each split got, and whether chance explains how far that is from what was asked.

    A group goes into one split as a whole, so the tolerance is three standard deviations of a sum of groups of these
    sizes, each placed on its own; splits that were remembered from smaller versions may be further off.

    Args:
        splits: of each row.
        groups: of each row.
        percents: what was asked for, by split.
    """
    sizes = np.bincount(groups).astype(float)
    spread = float(np.sqrt((sizes**2).sum())) / max(len(splits), 1)
    report: dict[str, dict[str, object]] = {}
    for code, split in enumerate(SPLITS):
        wanted, share = percents[split] / 100, float((splits == code).mean()) if len(splits) else 0.0
        tolerance = _DEVIATIONS * spread * (wanted * (1 - wanted)) ** 0.5
        report[split] = {
            "asked": round(wanted, 4),
            "share": round(share, 4),
            "tolerance": round(min(tolerance, 1.0), 4),
            "within_tolerance": abs(share - wanted) <= tolerance + 1e-9,
        }
    return report


def split_facts(splits: np.ndarray, cluster_ids: pa.ChunkedArray, thresholds: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a manifest tells of the splits: how many groups there are, and each split's share."""
    groups, names = group_numbers(cluster_ids)
    percents = {"test": thresholds["test_percent"], "validation": thresholds["validation_percent"]}
    percents["train"] = 100 - sum(percents.values())
    return {"groups": len(names), "proportions": proportions(splits, groups, percents)}


def group_numbers(cluster_ids: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return the group of each row counted from 0, and the name of each group."""
    encoded = cluster_ids.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary
