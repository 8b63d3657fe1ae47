"""Which rows go into a dataset: the thresholds of a policy, and what each row that was left out failed."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.schemas import EVIDENCE_LEVELS

DROPPED_ROWS = pa.schema(
    [
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("row_id", pa.string()),
        pa.field("feedback_ids", pa.list_(pa.string()), nullable=False),
        pa.field("detail", pa.string()),
    ]
)
"""What is not in a release and why: examples left out here, and the feedback that earlier stages left out."""

ASSET = "finetune_dataset"
"""Under whose name stands what the thresholds left out."""

Rule = tuple[str, Callable[[], np.ndarray]]
"""A reason, and which rows it holds for: booleans of shape (rows,)."""


@dataclass(frozen=True)
class ReleasePolicy:
    """The thresholds a release is made under; they stand in its manifest.

    Attributes:
        min_rating: rated corrections needed at least this many of 5.
        validation_percent: share of the groups held out for validation.
        test_percent: share of the groups held out for the test.
        min_weight: examples that weigh less are left out.
        min_evidence: how far an answer must have been proven (``EVIDENCE_LEVELS``).
        max_question_chars: longer questions are left out; 0 takes all.
        max_rows_per_user: so many examples that no one else stands behind are taken of one user; 0 takes all.
    """

    min_rating: int
    validation_percent: int
    test_percent: int
    min_weight: float = 0.0
    min_evidence: str = EVIDENCE_LEVELS[0]
    max_question_chars: int = 0
    max_rows_per_user: int = 0


@dataclass(frozen=True)
class Selection:
    """What was chosen of a table of examples.

    Attributes:
        kept: which rows are taken: booleans of shape (rows,).
        dropped: the others with their reasons (DROPPED_ROWS), ordered by row_id.
    """

    kept: np.ndarray
    dropped: pa.Table


def selected_by(policy: ReleasePolicy) -> list[str]:
    """Return the columns of schemas.DEDUPED_FEEDBACK that ``select`` looks at."""
    names = ["example_id", "weight", "feedback_ids", "evidence", "verified_at"]
    return [*names, *(["natural_query"] if policy.max_question_chars else [])]


def select(
    examples: pa.Table,
    policy: ReleasePolicy,
    *,
    in_use: Set[str] | None = None,
    user_of: Mapping[str, str] | None = None,
) -> Selection:
    """Choose the examples that keep the thresholds; the first that one fails is its reason.

    Args:
        examples: the columns ``selected_by``.
        policy: the thresholds.
        in_use: feedback that somebody stands behind right now; None: all.
        user_of: the user behind each feedback that has one, as any text that tells users apart.
    """
    most = policy.max_question_chars
    rules: list[Rule] = [
        ("feedback is not in use any more", lambda: rests_on_others(examples["feedback_ids"], in_use)),
        (f"evidence below {policy.min_evidence}", lambda: _unproven(examples, policy.min_evidence)),
        (f"weight below {policy.min_weight:g}", lambda: _numbers(examples["weight"]) < policy.min_weight),
        (f"question longer than {most} characters", lambda: longer_than(examples, "natural_query", most)),
    ]
    reasons = first_reasons(examples.num_rows, rules)
    beyond = _beyond_user_cap(examples, reasons == "", policy.max_rows_per_user, user_of or {})
    reasons[beyond] = f"beyond the {policy.max_rows_per_user} rows of one user"
    return Selection(reasons == "", left_out(ASSET, examples["example_id"], examples["feedback_ids"], reasons))


def first_reasons(count: int, rules: Iterable[Rule]) -> np.ndarray:
    """Return for each of ``count`` rows the reason of the first rule that holds for it, "" where none does."""
    reasons = np.full(count, "", dtype=object)
    for reason, failing in rules:
        reasons[(reasons == "") & failing()] = reason
    return reasons


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy()


def rests_on_others(origins: pa.ChunkedArray, in_use: Set[str] | None) -> np.ndarray:
    """Return which rows rest on anything that is not ``in_use``; none where that is None.

    Args:
        origins: what each row rests on, as lists of ids.
        in_use: the ids that count.
    """
    found = np.zeros(len(origins), bool)
    if in_use is None:
        return found
    rows, ids = _flattened(origins)
    missing = pc.invert(pc.is_in(ids, value_set=pa.array(sorted(in_use), pa.string())))
    found[rows[missing.to_numpy(zero_copy_only=False)]] = True
    return found


def _flattened(lists: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return the row of each item of a column of lists, and the items."""
    whole = lists.combine_chunks()
    return pc.list_parent_indices(whole).to_numpy(), whole.flatten()


def _unproven(examples: pa.Table, least: str) -> np.ndarray:
    levels = pc.index_in(examples["evidence"], value_set=pa.array(EVIDENCE_LEVELS))
    return _numbers(pc.fill_null(levels, -1)) < EVIDENCE_LEVELS.index(least)


def longer_than(rows: pa.Table, name: str, most: int) -> np.ndarray:
    """Return which texts of a column have more than ``most`` characters; 0 takes all, and needs no such column."""
    return _numbers(pc.utf8_length(rows[name])) > most if most else np.zeros(rows.num_rows, bool)


def _beyond_user_cap(examples: pa.Table, kept: np.ndarray, cap: int, user_of: Mapping[str, str]) -> np.ndarray:
    """Return the kept rows that only one user stands behind and that come after the first ``cap`` of that user.

    The earliest verified come first, so that what was released stays in.
    """
    beyond = np.zeros(examples.num_rows, bool)
    if not cap or not user_of:
        return beyond
    user = np.where(kept, _only_user(examples["feedback_ids"], user_of), -1)
    order = np.lexsort((np.arange(len(user)), _numbers(examples["verified_at"].cast(pa.int64())), user))
    order = order[user[order] >= 0]
    starts = np.r_[True, np.diff(user[order]) != 0] if len(order) else np.zeros(0, bool)
    firsts = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    beyond[order[np.arange(len(order)) - firsts >= cap]] = True
    return beyond


def _only_user(feedback_ids: pa.ChunkedArray, user_of: Mapping[str, str]) -> np.ndarray:
    """Return a number for the user of each row, -1 where several stand behind it, or somebody without a user."""
    rows, ids = _flattened(feedback_ids)
    users = pa.array(user_of.values(), pa.string()).dictionary_encode().indices
    places = pc.index_in(ids, value_set=pa.array(user_of.keys(), pa.string()))
    code = pc.fill_null(users.take(places), -1).to_numpy(zero_copy_only=False)
    lowest, highest = np.full(len(feedback_ids), np.iinfo(np.int32).max), np.full(len(feedback_ids), -1)
    np.minimum.at(lowest, rows, code)
    np.maximum.at(highest, rows, code)
    return np.where(lowest == highest, highest, -1)


def left_out(asset: str, row_ids: pa.ChunkedArray, origins: pa.ChunkedArray, reasons: np.ndarray) -> pa.Table:
    """Return the rows that have a reason, with what they rest on, as DROPPED_ROWS ordered by ``row_id``."""
    dropped = reasons != ""
    mask, count = pa.array(dropped, pa.bool_()), int(dropped.sum())
    columns = {
        "stage": pa.repeat(asset, count),
        "reason": pa.array(reasons[dropped].tolist(), pa.string()),
        "row_id": row_ids.filter(mask),
        "feedback_ids": origins.filter(mask),
        "detail": pa.nulls(count, pa.string()),
    }
    return pa.table(columns, schema=DROPPED_ROWS).sort_by("row_id")


def dropped_earlier(dropped: pa.Table) -> pa.Table:
    """Return schemas.DROPPED, what an earlier stage left out, as DROPPED_ROWS without the details: they may be long."""
    ids = dropped["feedback_id"].combine_chunks()
    lists = pa.ListArray.from_arrays(pa.array(np.arange(len(ids) + 1, dtype=np.int32)), ids)
    columns = {
        "stage": dropped["stage"],
        "reason": dropped["reason"],
        "row_id": pa.nulls(len(ids), pa.string()),
        "feedback_ids": lists,
        "detail": pa.nulls(len(ids), pa.string()),
    }
    return pa.table(columns, schema=DROPPED_ROWS)
