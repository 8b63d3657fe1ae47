"""Proposals to retire examples that measurably harm answers, and what reviewers make of them.

A proposal is about an example. It shows at the feedback in use that the example rests, or once rested, on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.orm import Session

from feedback_pipeline.store.engine import Store, lock
from feedback_pipeline.store.events import utc_now
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import ExampleSourceRow, FeedbackRow, RetirementProposalRow
from feedback_pipeline.store.standing import IN_USE

Evidence = Mapping[str, Any]
_PROPOSALS = "retirement_proposals"


@dataclass(frozen=True)
class Proposal:
    """An example is to be retired for what was measured; JSON values without texts."""

    example_id: str
    evidence: Evidence
    proposed_at: datetime


@dataclass(frozen=True)
class Renewal:
    """What became of proposals: examples newly ``proposed``, ``open`` altogether, ``dropped`` without a decision."""

    proposed: tuple[str, ...]
    open: int
    dropped: int


def proposed_feedback() -> Select[tuple[str]]:
    """Return a query for the feedback in use behind examples whose retirement nobody has decided."""
    return (
        select(ExampleSourceRow.feedback_id)
        .join(RetirementProposalRow, RetirementProposalRow.example_id == ExampleSourceRow.example_id)
        .join(FeedbackRow, FeedbackRow.feedback_id == ExampleSourceRow.feedback_id)
        .where(RetirementProposalRow.kept_at.is_(None), FeedbackRow.status.in_(IN_USE))
    )


def proposals_of(session: Session, feedback_ids: Iterable[str]) -> dict[str, tuple[Proposal, ...]]:
    """Return the open proposals that concern each of ``feedback_ids`` that is in use, by example id."""
    found: dict[str, tuple[Proposal, ...]] = {}
    row = RetirementProposalRow
    query = (
        select(ExampleSourceRow.feedback_id, row.example_id, row.evidence, row.proposed_at)
        .join(row, row.example_id == ExampleSourceRow.example_id)
        .join(FeedbackRow, FeedbackRow.feedback_id == ExampleSourceRow.feedback_id)
        .where(row.kept_at.is_(None), FeedbackRow.status.in_(IN_USE))
        .order_by(row.example_id)
    )
    for ids in batches(feedback_ids):
        for feedback_id, *proposal in session.execute(query.where(among(session, ExampleSourceRow.feedback_id, ids))):
            found[feedback_id] = (*found.get(feedback_id, ()), Proposal(*proposal))
    return found


def in_use_behind(session: Session, example_ids: Iterable[str]) -> set[str]:
    """Return the feedback in use that examples rest, or once rested, on."""
    query = select(ExampleSourceRow.feedback_id).join(
        FeedbackRow, FeedbackRow.feedback_id == ExampleSourceRow.feedback_id
    )
    in_use = query.where(FeedbackRow.status.in_(IN_USE))
    found = (
        session.scalars(in_use.where(among(session, ExampleSourceRow.example_id, ids))) for ids in batches(example_ids)
    )
    return {feedback_id for some in found for feedback_id in some}


def renew(store: Store, harmful: Mapping[str, Evidence], *, is_new: Callable[[Evidence, Evidence], bool]) -> Renewal:
    """Propose the examples in ``harmful`` and no others that nobody has decided; what was kept stays kept.

    Args:
        store: where proposals stand.
        harmful: what was measured now, by example.
        is_new: tells of what was known when an example was kept, and of what is known now, whether that says more:
            then it is proposed again.

    Raises:
        StoreUnavailableError: the store cannot be reached.

    """
    row = RetirementProposalRow
    with store.begin() as session:
        lock(session, _PROPOSALS)
        known = {one.example_id: one for one in session.execute(select(row.example_id, row.evidence, row.kept_at))}
        again = [i for i in harmful if i in known and known[i].kept_at and is_new(known[i].evidence, harmful[i])]
        new = sorted({*(i for i in harmful if i not in known), *again})
        still = sorted(i for i in harmful if i in known and not known[i].kept_at)
        gone = sorted(i for i in known if i not in harmful and not known[i].kept_at)
        _delete(session, [*gone, *again])
        # What was kept and rests on nothing any more (erased) needs no memory.
        session.execute(delete(row).where(row.example_id.not_in(select(ExampleSourceRow.example_id))))
        now = utc_now()
        rows = [{"example_id": i, "evidence": dict(harmful[i]), "proposed_at": now} for i in new]
        if rows:
            session.execute(insert(row), rows)
        for example_id in still:
            changed = update(row).where(row.example_id == example_id)
            session.execute(changed.values(evidence=dict(harmful[example_id])))
    return Renewal(tuple(new), len(new) + len(still), len(gone))


def _delete(session: Session, example_ids: Iterable[str]) -> None:
    for ids in batches(example_ids):
        session.execute(delete(RetirementProposalRow).where(among(session, RetirementProposalRow.example_id, ids)))


def keep(session: Session, example_ids: Iterable[str], *, reviewer: str, reason: str | None) -> None:
    """Note that ``reviewer`` keeps examples although their retirement is proposed."""
    lock(session, _PROPOSALS)
    row = RetirementProposalRow
    decided = {"kept_at": utc_now(), "kept_by": reviewer, "kept_reason": reason}
    for ids in batches(example_ids):
        session.execute(update(row).where(among(session, row.example_id, ids), row.kept_at.is_(None)).values(**decided))
