"""How answers turned out that were given an example, and those it was withheld from.

An answer is an interaction. It belongs to the look-ups of examples that it names or that name it. It is judged where
it was rated, or corrected by feedback that is neither withdrawn nor rejected; good is what was rated 1 and not
corrected.
"""

from typing import NamedTuple

from sqlalchemy import CTE, Integer, Select, Subquery, and_, case, cast, func, literal, not_, null, or_, select, union
from sqlalchemy.orm import Session

from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.edits import is_edit
from feedback_pipeline.store.models import FeedbackRow, InteractionRow, RetrievalExampleRow, RetrievalRow
from feedback_pipeline.store.standing import corrects
from feedback_pipeline.store.transitions import Status

GIVEN, WITHHELD = "given", "withheld"

_TAKEN_BACK = (Status.WITHDRAWN.value, Status.REJECTED.value)


class Outcome(NamedTuple):
    """So many judged answers of one kind.

    Attributes:
        example_id: what they have in common.
        used: they were given it; else it was withheld from all their look-ups that found it.
        arm: ``given`` (with everything that was found) or ``withheld`` (it alone) where chance has decided which of
            both; None for all that cannot be compared: nothing was held back then, another example was, or several
            look-ups of one answer differ.
        found: how many examples their look-ups had found; None without an arm.
        rate: the share of look-ups from which one was withheld then; None without an arm.
        judged: all of them.
        good: those of them that were good.
        up: rated 1.
        down: rated -1.
        corrected: those that were corrected, however they were rated.

    """

    example_id: str
    used: bool
    arm: str | None
    found: int | None
    rate: float | None
    judged: int
    good: int
    up: int
    down: int
    corrected: int


def outcomes(session: Session, scope: Scope) -> list[Outcome]:
    """Return how all judged answers about the databases of ``scope`` turned out, ever, by example and kind."""
    return [Outcome(row[0], bool(row[1]), *row[2:]) for row in session.connection().execute(_query(scope))]


def _query(scope: Scope) -> Select:
    judged = _judged()
    seen = _seen(_found(_look_ups(judged, scope)))
    kind = [seen.c[name] for name in ("example_id", "used", "arm", "found", "rate")]
    told = [judged.c[name] for name in ("good", "up", "down", "corrected")]
    return (
        select(*kind, func.count(), *(func.sum(number) for number in told))
        .join(judged, judged.c.interaction_id == seen.c.interaction_id)
        .group_by(*kind)
    )


def _judged() -> CTE:
    """Return the judged answers, each judgement as 0 or 1."""
    corrected = (
        select(FeedbackRow.interaction_id)
        .where(
            FeedbackRow.interaction_id.is_not(None),
            FeedbackRow.status.not_in(_TAKEN_BACK),
            ~is_edit(),
            func.coalesce(corrects(), False),
        )
        .distinct()
        .subquery("corrected")
    )
    rating, was_corrected = InteractionRow.feedback, corrected.c.interaction_id.is_not(None)
    return (
        select(
            InteractionRow.interaction_id,
            InteractionRow.database_id,
            InteractionRow.retrieval_id,
            _one_if(and_(rating == 1, not_(was_corrected))).label("good"),
            _one_if(rating == 1).label("up"),
            _one_if(rating == -1).label("down"),
            _one_if(was_corrected).label("corrected"),
        )
        .outerjoin(corrected, corrected.c.interaction_id == InteractionRow.interaction_id)
        .where(or_(rating.is_not(None), was_corrected))
        .cte("judged")
    )


def _look_ups(judged: CTE, scope: Scope) -> Subquery:
    """Return each judged answer with each look-up it belongs to, about the same database."""
    same_database = or_(judged.c.database_id.is_(None), judged.c.database_id == RetrievalRow.database_id)
    columns = RetrievalRow.retrieval_id, RetrievalRow.shown, RetrievalRow.holdback_rate
    pair = select(judged.c.interaction_id, *columns).where(same_database, scope.includes(RetrievalRow.database_id))
    # One join each: a join on either of the two would compare everything with everything.
    return union(
        pair.join(RetrievalRow, RetrievalRow.retrieval_id == judged.c.retrieval_id),
        pair.join(RetrievalRow, RetrievalRow.interaction_id == judged.c.interaction_id),
    ).subquery("look_ups")


def _found(look_ups: Subquery) -> Subquery:
    """Return each example that those look-ups found, and how many its look-up has withheld."""
    example, of_look_up = RetrievalExampleRow, (look_ups.c.interaction_id, look_ups.c.retrieval_id)
    kept_back = func.sum(_one_if(example.withheld)).over(partition_by=of_look_up)
    columns = example.example_id, example.withheld, kept_back.label("kept_back")
    matches = example.retrieval_id == look_ups.c.retrieval_id
    return select(look_ups, *columns).join(example, matches).subquery("found")


def _seen(found: Subquery) -> CTE:
    """Return each judged answer with each example that its look-ups found, and what became of that."""
    row = found.c
    by_chance, size = row.holdback_rate > 0, row.shown + row.kept_back
    complete = func.min(_one_if(and_(by_chance, not_(row.withheld), row.kept_back == 0)))
    without = func.min(_one_if(and_(by_chance, row.withheld, row.kept_back == 1)))
    lowest, rate = func.min(size), func.min(row.holdback_rate)
    alike = and_(lowest == func.max(size), rate == func.max(row.holdback_rate))
    is_given, is_withheld = and_(alike, complete == 1), and_(alike, without == 1)
    has_arm = or_(is_given, is_withheld)
    return (
        select(
            row.interaction_id,
            row.example_id,
            func.max(_one_if(not_(row.withheld))).label("used"),
            case((is_given, literal(GIVEN)), (is_withheld, literal(WITHHELD)), else_=null()).label("arm"),
            case((has_arm, cast(lowest, Integer)), else_=null()).label("found"),
            case((has_arm, rate), else_=null()).label("rate"),
        )
        .group_by(row.interaction_id, row.example_id)
        .cte("seen")
    )


def _one_if(condition):
    return case((condition, 1), else_=0)
