"""Which feedback is a reviewer's edit of other feedback: one correction, though it is two rows."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.models import FeedbackRow

EDIT_SOURCE = "review_edit"
"""The ``source`` of edits. Their ``client_key`` is ``<id of the original>/<digest of the new texts>``."""


def is_edit() -> ColumnElement[bool]:
    """Return the condition that a feedback is an edit."""
    return FeedbackRow.source == EDIT_SOURCE


def original_in(client_key: str) -> str:
    """Return the id of the original that the ``client_key`` of an edit names."""
    return client_key.split("/")[0]


def originals(session: Session) -> dict[str, str]:
    """Return for each edit what its user submitted; of an edit of an edit too, that is no edit."""
    query = select(FeedbackRow.feedback_id, FeedbackRow.client_key).where(
        is_edit(), FeedbackRow.client_key.is_not(None)
    )
    edited = {edit_id: original_in(key or "") for edit_id, key in session.execute(query).tuples()}
    return {edit_id: _first(edit_id, edited) for edit_id in edited}


def originals_of_edits(store: Store) -> dict[str, str]:
    """Return the same from a transaction of its own. Raises StoreUnavailableError."""
    with store.read() as session:
        return originals(session)


def _first(feedback_id: str, edited: dict[str, str]) -> str:
    while feedback_id in edited:
        feedback_id = edited[feedback_id]
    return feedback_id
