"""Which feedback an example of the index rests, or once rested, on: the way from a use back to who said it."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.lookups import among, batches, insert_missing
from feedback_pipeline.store.models import ExampleSourceRow, FeedbackRow

Source = tuple[str, str]
"""(example_id, feedback_id)"""

_EXAMPLES_TOGETHER = 2_000


def note_sources(store: Store, sources: Iterable[Source]) -> int:
    """Note on which feedback examples rest, where it is not noted yet, and return how many were new.

    Feedback that is gone (erased) is passed over. Raises StoreUnavailableError.
    """
    missing = _missing(store, sorted(set(sources)))
    added = 0
    for some in batches(missing, _EXAMPLES_TOGETHER):
        with store.begin() as session:
            stored = _kept_in_place(session, {feedback_id for _, feedback_id in some})
            rows = [{"example_id": e, "feedback_id": f} for e, f in some if f in stored]
            insert_missing(session, ExampleSourceRow, rows)
            added += len(rows)
    return added


def _missing(store: Store, sources: list[Source]) -> list[Source]:
    missing: list[Source] = []
    with store.read() as session:
        for some in batches(sources, _EXAMPLES_TOGETHER):
            example_ids = sorted({example_id for example_id, _ in some})
            query = select(ExampleSourceRow.example_id, ExampleSourceRow.feedback_id)
            known = set(session.execute(query.where(among(session, ExampleSourceRow.example_id, example_ids))).tuples())
            missing += [source for source in some if source not in known]
    return missing


def _kept_in_place(session: Session, feedback_ids: set[str]) -> set[str]:
    """Return those that exist, and let nobody delete them until the end of the transaction."""
    query = select(FeedbackRow.feedback_id).where(among(session, FeedbackRow.feedback_id, sorted(feedback_ids)))
    return set(session.scalars(query.with_for_update(read=True, key_share=True)))
