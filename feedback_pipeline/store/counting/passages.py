"""How long feedback took: when it was submitted, decided and first of use. A correction and its edits are one."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from feedback_pipeline.store.counting.scope import Scope
from feedback_pipeline.store.counting.statuses import DECIDED, UtcSeconds
from feedback_pipeline.store.edits import originals
from feedback_pipeline.store.lookups import among, batches
from feedback_pipeline.store.models import FeedbackEventRow
from feedback_pipeline.store.transitions import Event


class Passage(NamedTuple):
    """When a feedback was submitted, first decided, and first applied: seconds since 1970, UTC.

    It is decided where it is verified, rejected or superseded by an edit. It is applied where one of its edits is.
    """

    submitted: float | None
    decided: float | None
    applied: float | None


def passages(session: Session, scope: Scope) -> list[Passage]:
    """Return the passage of each feedback that was submitted, decided or applied since; in no particular order.

    Edits have none of their own. What was edited is among them where anything of this happened to its edit.
    """
    found = _found(session, scope, func.max(FeedbackEventRow.at) >= scope.since)
    original_of = originals(session)
    families = _families(original_of, found)
    together = {member for family in families.values() for member in family}
    for ids in batches(sorted(together - found.keys())):
        found |= _found(session, scope, among(session, FeedbackEventRow.feedback_id, ids))
    alone = [passage for feedback_id, passage in found.items() if feedback_id not in together]
    return alone + [_joined(family, found) for original, family in families.items() if original in found]


def _found(session: Session, scope: Scope, condition: ColumnElement[bool]) -> dict[str, Passage]:
    """Return the passages of feedback for which ``condition`` holds, by id, each without its edits."""
    events = FeedbackEventRow
    was_edited = and_(events.event == Event.SUPERSEDED.value, events.payload["superseded_by"].as_string().is_not(None))
    moments = {
        "submitted": _first(_is_any(Event.SUBMITTED)),
        "decided": _first(or_(_is_any(*DECIDED), was_edited)),
        "applied": _first(_is_any(Event.APPLIED)),
    }
    query = (
        select(events.feedback_id, *(moment.label(name) for name, moment in moments.items()))
        .where(_is_any(Event.SUBMITTED, Event.APPLIED, Event.SUPERSEDED, *DECIDED))
        .where(scope.includes_feedback(events.feedback_id))
        .group_by(events.feedback_id)
        .having(condition)
        .subquery()
    )
    columns = (UtcSeconds(query.c[name]) for name in Passage._fields)
    rows = session.connection().execute(select(query.c.feedback_id, *columns))
    return {feedback_id: Passage(*row) for feedback_id, *row in rows}


def _is_any(*wanted: Event) -> ColumnElement[bool]:
    return FeedbackEventRow.event.in_([event.value for event in wanted])


def _first(condition: ColumnElement[bool]) -> Any:
    return func.min(case((condition, FeedbackEventRow.at)))


def _families(original_of: Mapping[str, str], found: Iterable[str]) -> dict[str, list[str]]:
    """Return each original of which anything was found, with itself first and its edits after it."""
    edited = set(original_of.values())
    seen = {original_of.get(feedback_id, feedback_id) for feedback_id in found} & edited
    families = {original: [original] for original in sorted(seen)}
    for edit, original in sorted(original_of.items()):
        if original in families:
            families[original].append(edit)
    return families


def _joined(family: list[str], found: Mapping[str, Passage]) -> Passage:
    original = found[family[0]]
    applied = [at for member in family if member in found and (at := found[member].applied) is not None]
    return original._replace(applied=min(applied, default=None))
