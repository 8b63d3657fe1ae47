"""Reading back what the store holds of rows that were just imported."""

from collections.abc import Sequence
from typing import Any

from feedback_pipeline.store import Store, Submission, Submitted
from feedback_pipeline.store.events import rows_by_id
from feedback_pipeline.store.models import FeedbackRow

COMPARED = ("database_id", "natural_query", "generated_sql", "corrected_sql", "rating", "comment", "user_hash")


def count_differing(store: Store, items: Sequence[Submission], results: Sequence[Submitted]) -> int:
    """Count the items that were known before with another content than they have now."""
    pairs = zip(items, results, strict=True)
    known = {result.feedback_id: item for item, result in pairs if not (result.created or result.opted_out)}
    if not known:
        return 0
    with store.read() as session:
        rows = rows_by_id(session, known, *(getattr(FeedbackRow, name) for name in COMPARED))
    return sum(tuple(rows[i])[1:] != _content(store, item) for i, item in known.items() if i in rows)


def _content(store: Store, item: Submission) -> tuple[Any, ...]:
    user_hash = None if item.user_id is None else store.hash_user(item.user_id)
    return (*(getattr(item, name) for name in COMPARED[:-1]), user_hash)
