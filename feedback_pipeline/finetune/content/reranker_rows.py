"""What a release of the reranker's dataset is made of: its rows are schemas.RERANKER_QUERIES, one for each query.

Personal data in queries is replaced before; passages are documents of the product itself and stand as they were shown.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.finetune.content.balance import Composition, by_contributors, counts, largest
from feedback_pipeline.finetune.content.rows import lists_filled, row_keys
from feedback_pipeline.finetune.content.selection import (
    DROPPED_ROWS,
    Selection,
    first_reasons,
    left_out,
    longer_than,
    rests_on_others,
)
from feedback_pipeline.finetune.content.splits import Keys, key_of
from feedback_pipeline.schemas import RERANKER_QUERIES

ASSET = "reranker_dataset"
STAGE = "reranker_triplets"
"""What the rows are made in, and what it left out is told by."""

KEYED_BY = ("row_id", "query")
BALANCED_BY = ("source", "contributors", "weight", "positive_weights", "negative_weights", "negative_origins")


@dataclass(frozen=True)
class RerankerPolicy:
    """The thresholds a release is made under; they stand in its manifest.

    Attributes:
        validation_percent: share of the groups held out for validation.
        test_percent: share of the groups held out for the test.
        max_question_chars: longer queries are left out; 0 takes all.
    """

    validation_percent: int
    test_percent: int
    max_question_chars: int = 0


def as_queries(rows: pa.Table) -> pa.Table:
    """Return rows as RERANKER_QUERIES, in the same order."""
    return rows.select(RERANKER_QUERIES.names).cast(RERANKER_QUERIES)


def queries_selected_by(policy: RerankerPolicy) -> list[str]:
    """Return the columns that ``select_queries`` looks at."""
    return ["row_id", "interaction_ids", *(["query"] if policy.max_question_chars else [])]


def select_queries(
    rows: pa.Table,
    policy: RerankerPolicy,
    *,
    in_use: Set[str] | None = None,
    user_of: Mapping[str, str] | None = None,
) -> Selection:
    """Choose the rows that keep the thresholds; the first that one fails is its reason.

    Args:
        rows: the columns ``queries_selected_by``.
        policy: the thresholds.
        in_use: interactions that exist and may be used right now, their ids as text; None: all.
        user_of: not looked at: what one user may weigh is seen to where the rows are made.
    """
    del user_of
    rules: list[tuple[str, Callable[[], np.ndarray]]] = [
        ("interaction is not in use any more", lambda: rests_on_others(rows["interaction_ids"], in_use)),
        (
            f"query longer than {policy.max_question_chars} characters",
            lambda: longer_than(rows, "query", policy.max_question_chars),
        ),
    ]
    reasons = first_reasons(rows.num_rows, rules)
    return Selection(reasons == "", left_out(ASSET, rows["row_id"], rows["interaction_ids"], reasons))


def keys_of_queries(rows: pa.Table) -> Keys:
    """Return the keys of rows (KEYED_BY). There is no skeleton, which is 0.

    A query is recognised whatever source it is asked of: asked of another, it stays on the same side.
    """
    asked = pa.array(map(canonical_question, rows["query"].to_pylist()), pa.string())
    return Keys(row_keys(rows["row_id"]), key_of(pa.chunked_array([asked])), np.zeros(rows.num_rows, np.uint64))


def made_of_queries(rows: pa.Table) -> Composition:
    """Return what rows (BALANCED_BY) are made of; the largest sources are named, the others summed up."""
    helpful, unhelpful = (lists_filled(rows[name]) for name in ("positive_weights", "negative_weights"))
    origins = counts(pc.list_flatten(rows["negative_origins"]))
    told = {
        "sources": len(rows["source"].unique()),
        "by_source": largest(counts(rows["source"])),
        "by_sides": {
            "both": int((helpful & unhelpful).sum()),
            "helpful only": int((helpful & ~unhelpful).sum()),
            "not helpful only": int((unhelpful & ~helpful).sum()),
        },
        "by_label": {
            "helpful": len(pc.list_flatten(rows["positive_weights"])),
            **{f"not helpful, {origin}": count for origin, count in origins.items()},
        },
        "by_contributors": by_contributors(rows["contributors"].to_numpy()),
        "weight": round(float(np.sum(rows["weight"].to_numpy())), 6),
    }
    return Composition(None, told)


def dropped_interactions(dropped: pa.Table) -> pa.Table:
    """Return schemas.RERANKER_DROPPED as DROPPED_ROWS: one row for each interaction and reason.

    ``feedback_ids`` names the interaction, ``detail`` how many of its passages it is about where it is not about all.
    """
    plain = pa.table({"id": dropped["interaction_id"], "rank": dropped["rank"], "reason": dropped["reason"]})
    plain = plain.set_column(2, "reason", plain["reason"].cast(pa.string()))
    grouped = plain.group_by(["id", "reason"]).aggregate([("rank", "count")])
    grouped = grouped.sort_by([("id", "ascending"), ("reason", "ascending")])
    ids = grouped["id"].cast(pa.string()).combine_chunks()
    some = pc.greater(grouped["rank_count"], 0)
    passages = pc.binary_join_element_wise(grouped["rank_count"].cast(pa.string()), "of its passages", " ")
    columns = {
        "stage": pa.repeat(STAGE, len(ids)),
        "reason": grouped["reason"],
        "row_id": pa.nulls(len(ids), pa.string()),
        "feedback_ids": pa.ListArray.from_arrays(pa.array(np.arange(len(ids) + 1, dtype=np.int32)), ids),
        "detail": pc.if_else(some, passages, pa.scalar(None, pa.string())),
    }
    return pa.table(columns, schema=DROPPED_ROWS)
