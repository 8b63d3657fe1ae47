"""Where feedback stands right now, for answers that are built while somebody waits: one query for some ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.lookups import batches, named
from feedback_pipeline.store.models import FeedbackRow, InteractionRow
from feedback_pipeline.store.transitions import Status

IN_USE = (Status.VERIFIED.value, Status.APPLIED.value)


@dataclass(frozen=True)
class Standing:
    """What can be said of one feedback.

    Attributes:
        in_use: somebody stands behind it: it is verified or applied.
        owner: hash of the user who gave it, or who got the answer it is about where it is unsigned; None for nobody.
        corrects: it puts another SQL in the place of a model's answer, or gives one where no answer is known. A good
            rating of generated SQL confirms it, and so does a "correction" that says or finds the same.
    """

    in_use: bool
    owner: str | None
    corrects: bool


def standings(store: Store, feedback_ids: Iterable[str]) -> dict[str, Standing]:
    """Return the standing of those of ``feedback_ids`` that exist. Raises StoreUnavailableError."""
    query = _query(store.engine.dialect.name)
    found: dict[str, Standing] = {}
    with store.read() as session:
        connection = session.connection()
        for some in batches(sorted(set(feedback_ids))):
            rows = connection.execute(query, {"feedback_ids": some})
            found.update((row[0], Standing(bool(row[1]), row[2], bool(row[3]))) for row in rows)
    return found


@cache
def _query(dialect: str) -> Select[Any]:
    """Return the query, put together once: building it anew costs more than the database needs to answer it."""
    joined = InteractionRow.interaction_id == FeedbackRow.interaction_id
    return (
        select(
            FeedbackRow.feedback_id,
            FeedbackRow.status.in_(IN_USE),
            func.coalesce(FeedbackRow.user_hash, InteractionRow.user_hash),
            func.coalesce(corrects(), False),
        )
        .outerjoin(InteractionRow, joined)
        .where(named(dialect, FeedbackRow.feedback_id, "feedback_ids"))
    )


def corrects() -> ColumnElement[bool]:
    """Return the condition that a feedback is a correction; see ``Standing``. Null where its checks say nothing."""
    said, generated = FeedbackRow.corrected_sql, FeedbackRow.generated_sql
    # The checks compare meaning and rows; what they have not seen yet is compared by its letters.
    differs = func.coalesce(FeedbackRow.checks["is_error_pair"].as_boolean(), said != generated)
    return and_(func.trim(func.coalesce(said, "")) != "", or_(generated.is_(None), differs))
