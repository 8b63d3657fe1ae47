"""What is counted: since when, and in which databases."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select, true

from feedback_pipeline.store.edits import is_edit
from feedback_pipeline.store.models import FeedbackEventRow, FeedbackRow
from feedback_pipeline.store.transitions import Event


@dataclass(frozen=True)
class Scope:
    """Everything recorded from ``since`` on in ``databases``; None: in all, and what belongs to no database."""

    since: datetime
    databases: frozenset[str] | None = None

    def includes(self, database_id: Any) -> ColumnElement[bool]:
        """Return the condition that a column names one of the databases."""
        return true() if self.databases is None else database_id.in_(sorted(self.databases))

    def includes_feedback(self, feedback_id: Any) -> ColumnElement[bool]:
        """Return the condition that a column names feedback about one of the databases."""
        if self.databases is None:
            return true()
        return feedback_id.in_(select(FeedbackRow.feedback_id).where(self.includes(FeedbackRow.database_id)))

    def events(self, *columns: Any) -> Select[Any]:
        """Return a query for ``columns`` of the events since."""
        return select(*columns).where(
            FeedbackEventRow.at >= self.since, self.includes_feedback(FeedbackEventRow.feedback_id)
        )

    def submissions(self, *columns: Any) -> Select[Any]:
        """Return a query for ``columns`` of the feedback that users submitted since, no edits, and of its event."""
        return (
            select(*columns)
            .select_from(FeedbackRow)
            .join(FeedbackEventRow, FeedbackEventRow.feedback_id == FeedbackRow.feedback_id)
            .where(
                FeedbackEventRow.event == Event.SUBMITTED.value,
                FeedbackEventRow.at >= self.since,
                ~is_edit(),
                self.includes(FeedbackRow.database_id),
            )
        )
