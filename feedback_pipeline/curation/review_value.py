"""What a review is worth: how often such questions come, and the chance that it ends in something to learn from.

A question is "such" a question where it is nearly the same (``near_duplicates``) about the same database. Each of three
numbers can be shown beside the result, so that a reviewer sees why something comes first. Of feedback that says
literally the same the first stands for all: one decision settles what is true of each.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.curation.clustering import group_numbers
from feedback_pipeline.curation.near_duplicates import components, near_duplicate_pairs
from feedback_pipeline.curation.questions import canonical_question

Outcome = Literal["passed", "flagged", "failed", "unchecked"]
"""What the checks say: ``flagged`` passed, and has flags."""

OUTCOMES: tuple[Outcome, ...] = ("passed", "flagged", "failed", "unchecked")

EXPECTED_BEFORE: Mapping[Outcome, float] = {"passed": 0.75, "flagged": 0.5, "failed": 0.25, "unchecked": 0.5}
"""Share of reviews that end in ``verified``, as long as nobody has decided anything."""

_WEIGHT_BEFORE = 2
"""Decisions that ``EXPECTED_BEFORE`` counts for: with 0.5 and 2 it is Laplace's rule of succession, (v + 1)/(n + 2)."""

_STEPS = 20
"""Chances are rounded to twentieths: else each decision would move everything that waits a little."""

WAITING = pa.schema(
    [
        pa.field("feedback_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("ask_id", pa.string(), nullable=False),
        pa.field("canonical_sql", pa.string()),
        pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
"""Feedback that waits. ``ask_id`` names the asking that it is about: an interaction, or the feedback itself.

``canonical_sql`` is null where nothing was checked or could be read: that says the same as no other.
"""

SAID = pa.schema([WAITING.field(name) for name in ("database_id", "natural_query", "canonical_sql")])
"""What feedback says, and about which database."""

ASKED = pa.schema(
    [
        pa.field("ask_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
    ]
)
"""Every time a question was asked: one row per interaction, and per feedback that is about none."""


def chances(decided: Mapping[Outcome, tuple[int, int]]) -> dict[Outcome, float]:
    """Return the chance that a review ends in ``verified``, from (verified, all decided) per check outcome.

    The share is smoothed towards ``EXPECTED_BEFORE`` (additive smoothing; Laplace 1814; Manning, Raghavan and Schütze,
    Introduction to Information Retrieval, section 11.3.2), and at least one twentieth.
    """
    return {outcome: _chance(outcome, *decided.get(outcome, (0, 0))) for outcome in OUTCOMES}


def _chance(outcome: Outcome, verified: int, decided: int) -> float:
    share = (verified + _WEIGHT_BEFORE * EXPECTED_BEFORE[outcome]) / (decided + _WEIGHT_BEFORE)
    return max(1, round(share * _STEPS)) / _STEPS


def review_values(waiting: pa.Table, asked: pa.Table, in_use: pa.Table, chance_of: Mapping[Outcome, float]) -> pa.Table:
    """Return what a review of each row of ``waiting`` is worth, in their order.

    ``times_asked`` counts how often such a question was asked apart from the asking it is about, ``similar_waiting``
    how much else waits about such questions, ``same_before`` how many say the same (database, canonical question,
    canonical SQL) and are in use or have waited longer. ``expected_value`` is
    (1 + times_asked + similar_waiting) × the chance of its check outcome / (1 + same_before).

    Args:
        waiting: schema WAITING.
        asked: schema ASKED.
        in_use: what is verified or applied, schema SAID.
        chance_of: as ``chances`` returns it.

    """
    groups = _groups(waiting, asked)
    of_waiting, of_asked = groups[: waiting.num_rows], groups[waiting.num_rows :]
    size = int(groups.max(initial=-1)) + 1
    times_asked = np.bincount(of_asked, minlength=size)[of_waiting] - _is_counted(waiting, asked, of_waiting, of_asked)
    similar_waiting = np.bincount(of_waiting, minlength=size)[of_waiting] - 1
    same_before = _same_before(waiting, in_use)
    chance = np.array([chance_of[outcome] for outcome in waiting["outcome"].to_pylist()])
    return pa.table(
        {
            "feedback_id": waiting["feedback_id"],
            "times_asked": pa.array(times_asked, pa.int64()),
            "similar_waiting": pa.array(similar_waiting, pa.int64()),
            "same_before": pa.array(same_before, pa.int64()),
            "expected_value": pa.array((1 + times_asked + similar_waiting) * chance / (1 + same_before), pa.float64()),
        }
    )


def _same_before(waiting: pa.Table, in_use: pa.Table) -> np.ndarray:
    """Count for each row of ``waiting`` what says the same and is in use or older, by id where as old."""
    said = Counter(_said(in_use))
    keys, ids = list(_said(waiting)), waiting["feedback_id"].to_pylist()
    moments = waiting["created_at"].cast(pa.int64()).to_pylist()
    same_before = np.zeros(waiting.num_rows, dtype=np.int64)
    for row in sorted(range(waiting.num_rows), key=lambda row: (moments[row], ids[row])):
        if keys[row] is not None:
            same_before[row] = said[keys[row]]
            said[keys[row]] += 1
    return same_before


def _said(table: pa.Table) -> Iterator[tuple[str, str, str] | None]:
    """Yield database, canonical question and canonical SQL of each row; None where the SQL is unknown."""
    for database_id, question, sql in zip(*(table[name].to_pylist() for name in SAID.names), strict=True):
        yield None if sql is None else (database_id, _canonical(question), sql)


def _groups(waiting: pa.Table, asked: pa.Table) -> np.ndarray:
    """Return the number of the group of nearly equal questions for each row of both tables."""
    rows = pa.concat_tables([table.select(["database_id", "natural_query"]) for table in (waiting, asked)])
    raw = rows["natural_query"].combine_chunks().dictionary_encode()
    canonical = pa.array(map(_canonical, raw.dictionary.to_pylist()), pa.string()).take(raw.indices)
    keyed = pa.table({"database_id": rows["database_id"], "canonical_question": canonical})
    distinct = keyed.group_by(["database_id", "canonical_question"], use_threads=False).aggregate([])
    numbers = pa.array(np.arange(distinct.num_rows))
    joined = keyed.append_column("row", pa.array(np.arange(keyed.num_rows))).join(
        distinct.append_column("number", numbers), ["database_id", "canonical_question"]
    )
    number = np.empty(keyed.num_rows, dtype=np.int64)
    number[joined["row"].to_numpy()] = joined["number"].to_numpy()
    return _near(distinct)[number]


def _near(distinct: pa.Table) -> np.ndarray:
    databases = group_numbers(distinct["database_id"])
    return components(len(databases), near_duplicate_pairs(distinct["canonical_question"], databases=databases))


@lru_cache(maxsize=200_000)
def _canonical(question: str) -> str:
    return canonical_question(question)


def _is_counted(waiting: pa.Table, asked: pa.Table, of_waiting: np.ndarray, of_asked: np.ndarray) -> np.ndarray:
    """Tell for each row of ``waiting`` whether the asking it is about is among those of its group."""
    place = pc.index_in(waiting["ask_id"], value_set=asked["ask_id"].combine_chunks())
    known = place.is_valid().to_numpy()
    found = np.zeros(waiting.num_rows, dtype=bool)
    found[known] = of_asked[place.drop_null().to_numpy()] == of_waiting[known]
    return found
