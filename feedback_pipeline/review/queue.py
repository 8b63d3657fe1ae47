"""The queue of reviewers: a page of it, and how much waits of which kind."""

import base64
import binascii
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from feedback_pipeline.store import Store
from feedback_pipeline.store.reservations import Reservation, standing
from feedback_pipeline.store.retirements import Proposal, proposals_of
from feedback_pipeline.store.review_queue import (
    Checks,
    Group,
    Order,
    Position,
    QueueFilter,
    count_for_retirement,
    counts_by_group,
    page_of,
    says,
    shown_rows,
)
from feedback_pipeline.store.reviews import Review, counting

__all__ = ["Checks", "Order", "QueueCounts", "QueueFilter", "QueueItem", "QueuePage", "queue_counts", "queue_page"]


@dataclass(frozen=True)
class QueueItem:
    """One feedback as the queue shows it.

    ``times_asked`` and ``similar_waiting`` explain ``expected_value`` (see ``curation.review_value``);
    ``results_equal`` is what running both queries showed, None where that cannot be told; ``flags`` are those of the
    checks; ``verdicts`` are the words of reviewers that count; ``retirements`` are the open proposals to retire an
    example that rests on it.
    """

    feedback_id: str
    status: str
    database_id: str
    natural_query: str
    generated_sql: str | None
    corrected_sql: str | None
    rating: int | None
    comment: str | None
    source: str
    created_at: datetime
    checks_passed: bool | None
    failed_check: str | None
    flags: tuple[str, ...]
    results_equal: bool | None
    in_conflict: bool
    times_asked: int
    similar_waiting: int
    expected_value: float
    reserved_by: str | None
    reserved_until: datetime | None
    verdicts: tuple[Review, ...]
    retirements: tuple[Proposal, ...] = ()


@dataclass(frozen=True)
class QueueCounts:
    """How much matches a filter. Each ``by_…``, and ``in_conflict``, leaves its own part of the filter aside.

    ``total`` follows the whole filter but for reservations; ``flagged`` ones may also count as ``failed``.
    ``for_retirement`` counts what is applied and proposed for retirement, whatever else is asked for.
    """

    total: int
    by_database: dict[str, int]
    by_checks: dict[str, int]
    in_conflict: int
    for_retirement: int = 0


@dataclass(frozen=True)
class QueuePage:
    """Some of the queue; ``next_cursor`` leads on, None where nothing follows."""

    items: tuple[QueueItem, ...]
    next_cursor: str | None


def queue_page(
    store: Store, wanted: QueueFilter, *, order: Order = "value", limit: int = 50, cursor: str | None = None
) -> QueuePage:
    """Return the first ``limit`` items that match ``wanted``, or those after ``cursor``.

    Raises ValueError for a cursor that is none of this order, or a status that does not exist, and
    StoreUnavailableError.
    """
    after = None if cursor is None else _position(cursor, order)
    with store.read() as session:
        positions = page_of(session, wanted, order, limit + 1, after)
    shown = positions[:limit]
    more = len(positions) > limit
    items = queue_items(store, [position.feedback_id for position in shown])
    return QueuePage(items, _cursor(shown[-1], order) if more else None)


def queue_items(store: Store, feedback_ids: list[str]) -> tuple[QueueItem, ...]:
    """Return these feedbacks as the queue shows them, in their order; without those that do not exist."""
    rows = shown_rows(store, feedback_ids)
    with store.read() as session:
        reserved, words = standing(session, feedback_ids), counting(session, feedback_ids)
        proposed = proposals_of(session, feedback_ids)
    there = [i for i in feedback_ids if i in rows]
    return tuple(_item(rows[i], reserved.get(i), words.get(i, ()), proposed.get(i, ())) for i in there)


def _item(
    row: Any, reservation: Reservation | None, verdicts: tuple[Review, ...], retirements: tuple[Proposal, ...]
) -> QueueItem:
    checks = row.checks or {}
    return QueueItem(
        feedback_id=row.feedback_id,
        status=row.status,
        database_id=row.database_id,
        natural_query=row.natural_query,
        generated_sql=row.generated_sql,
        corrected_sql=row.corrected_sql,
        rating=row.rating,
        comment=row.comment,
        source=row.source,
        created_at=row.created_at,
        checks_passed=row.checks_passed,
        failed_check=checks.get("failed_check"),
        flags=tuple(checks.get("flags") or ()),
        results_equal=(checks.get("execution") or {}).get("results_equal"),
        in_conflict=row.in_conflict,
        times_asked=row.times_asked,
        similar_waiting=row.similar_waiting,
        expected_value=-row.review_order or 0.0,
        reserved_by=reservation.reviewer if reservation else None,
        reserved_until=reservation.until if reservation else None,
        verdicts=verdicts,
        retirements=retirements,
    )


def queue_counts(store: Store, wanted: QueueFilter) -> QueueCounts:
    """Return how much matches ``wanted``. Raises ValueError for a status that does not exist."""
    with store.read() as session:
        counted = counts_by_group(session, wanted)
        for_retirement = count_for_retirement(session, wanted)
    by_database: Counter[str] = Counter()
    by_checks: Counter[str] = Counter(dict.fromkeys(get_args(Checks), 0))
    total = in_conflict = 0
    for group, count in counted.items():
        here, checked, conflicting = _matches(group, wanted)
        total += count * (here and checked and conflicting)
        in_conflict += count * (here and checked and group[3])
        if checked and conflicting:
            by_database[group[0]] += count
        if here and conflicting:
            by_checks.update({name: count for name in get_args(Checks) if says(group, name)})
    return QueueCounts(total, dict(sorted(by_database.items())), dict(by_checks), in_conflict, for_retirement)


def _matches(group: Group, wanted: QueueFilter) -> tuple[bool, bool, bool]:
    """Tell whether counted feedback is of the database, the check outcome and the conflict that are wanted."""
    database_id, _, _, in_conflict = group
    here = wanted.database_id in (None, database_id)
    return here, wanted.checks is None or says(group, wanted.checks), wanted.conflict in (None, in_conflict)


def cursor_after(item: QueueItem, order: Order) -> str:
    """Return the cursor of the page that begins after ``item``."""
    return _cursor(Position(-item.expected_value, item.created_at, item.feedback_id), order)


def _cursor(position: Position, order: Order) -> str:
    place = [order, position.review_order, position.created_at.isoformat(), position.feedback_id]
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def _position(cursor: str, order: Order) -> Position:
    message = "the cursor belongs to no page in this order: begin again without it."
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        its_order, review_order, moment, feedback_id = place
        position = Position(float(review_order), datetime.fromisoformat(moment), str(feedback_id))
    except (binascii.Error, ValueError, TypeError, OverflowError) as error:
        raise ValueError(message) from error
    if its_order != order or position.created_at.tzinfo is None or not _is_plain(position):
        raise ValueError(message)
    return position


def _is_plain(position: Position) -> bool:
    """Tell whether the databases can compare it: Postgres refuses NUL, and NaN stands nowhere."""
    finite = position.review_order == position.review_order and abs(position.review_order) != float("inf")
    return finite and position.feedback_id.isascii() and position.feedback_id.isprintable()
