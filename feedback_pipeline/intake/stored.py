"""Reading back what the store holds of rows that were just imported."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Text, cast

from feedback_pipeline.store import STORED_SUBMISSIONS, Status, Store, Submission, Submitted
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.models import FeedbackRow

COMPARED = ("database_id", "natural_query", "generated_sql", "corrected_sql", "rating", "comment", "user_hash")


def stored_submissions(store: Store, feedback_ids: Iterable[str], *, status: Status | None = None) -> pa.Table:
    """Return those of ``feedback_ids`` that are stored (schema STORED_SUBMISSIONS), in their order, each once.

    With ``status`` only those that stand there.
    """
    ids = list(dict.fromkeys(feedback_ids))
    with store.read() as session:
        rows = rows_by_id(session, ids, *_columns(), FeedbackRow.status)
    found = [rows[i] for i in ids if i in rows and status in (None, rows[i].status)]
    arrays = [pa.array([getattr(row, f.name) for row in found], f.type) for f in STORED_SUBMISSIONS]
    return pa.Table.from_arrays(arrays, schema=STORED_SUBMISSIONS)


def count_differing(store: Store, items: Sequence[Submission], results: Sequence[Submitted]) -> int:
    """Count the items that were known before with another content than they have now."""
    known = {result.feedback_id: item for item, result in zip(items, results, strict=True) if not result.created}
    if not known:
        return 0
    with store.read() as session:
        rows = rows_by_id(session, known, *(getattr(FeedbackRow, name) for name in COMPARED))
    return sum(tuple(rows[i])[1:] != _content(store, item) for i, item in known.items() if i in rows)


def _columns() -> list[Any]:
    replaced = {"checks": cast(FeedbackRow.checks, Text).label("checks")}
    names = [name for name in STORED_SUBMISSIONS.names if name != "feedback_id"]
    return [replaced.get(name, getattr(FeedbackRow, name)) for name in names]


def _content(store: Store, item: Submission) -> tuple[Any, ...]:
    user_hash = None if item.user_id is None else store.hash_user(item.user_id)
    return (*(getattr(item, name) for name in COMPARED[:-1]), user_hash)
