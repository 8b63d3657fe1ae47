from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from feedback_pipeline.store import Store, UnknownFeedbackError
from feedback_pipeline.store.models import ReservationRow
from feedback_pipeline.store.reservations import (
    MAX_HELD,
    ReservedError,
    TooManyReservedError,
    drop_expired,
    release,
    reserve,
    standing,
)
from feedback_pipeline_tests.store.running import together
from feedback_pipeline_tests.store.samples import submit


def expire(store: Store) -> None:
    with store.begin() as session:
        session.execute(update(ReservationRow).values(until=datetime.now(UTC) - timedelta(seconds=1)))


def holder(store: Store, feedback_id: str) -> str | None:
    with store.read() as session:
        found = standing(session, [feedback_id]).get(feedback_id)
    return found.reviewer if found else None


def test_a_reservation_keeps_others_out_until_it_runs_out(store: Store) -> None:
    [one] = submit(store, "k1")
    reserve(store, one, "ada", minutes=10)

    with pytest.raises(ReservedError, match="ada has it until") as caught:
        reserve(store, one, "bob", minutes=10)
    expire(store)
    taken = reserve(store, one, "bob", minutes=10)

    assert caught.value.feedback_id == one
    assert taken.reviewer == holder(store, one) == "bob"


def test_reserving_again_extends_it(store: Store) -> None:
    [one] = submit(store, "k1")

    first, second = (reserve(store, one, "ada", minutes=minutes) for minutes in (1, 20))

    assert second.until - first.until > timedelta(minutes=15)


def test_only_its_reviewer_can_give_it_back(store: Store) -> None:
    [one] = submit(store, "k1")
    reserve(store, one, "ada", minutes=10)

    assert not release(store, one, "bob")
    assert holder(store, one) == "ada"
    assert release(store, one, "ada")
    assert not release(store, one, "ada")
    assert holder(store, one) is None


def test_of_reviewers_who_reserve_at_once_one_gets_it(store: Store) -> None:
    ids = submit(store, *(f"k{number}" for number in range(10)))

    def attempt(feedback_id: str, reviewer: str) -> bool:
        try:
            reserve(store, feedback_id, reviewer, minutes=10)
        except ReservedError:
            return False
        return True

    for one in ids:
        got = together(*(lambda r=r, one=one: attempt(one, r) for r in ("ada", "bob", "cy", "dee")))
        assert sum(got) == 1


def test_unknown_feedback_cannot_be_reserved(store: Store) -> None:
    with pytest.raises(UnknownFeedbackError):
        reserve(store, "no-such-id", "ada", minutes=10)


def test_what_has_run_out_is_cleared_away(store: Store) -> None:
    one, other = submit(store, "k1", "k2")
    reserve(store, one, "ada", minutes=10)
    expire(store)
    reserve(store, other, "ada", minutes=10)

    assert drop_expired(store) == 1
    assert drop_expired(store) == 0
    assert holder(store, other) == "ada"


def test_a_reviewer_has_so_many_at_a_time(store: Store) -> None:
    *ids, last = submit(store, *(f"k{number}" for number in range(MAX_HELD + 1)))
    for one in ids:
        reserve(store, one, "ada", minutes=10)

    with pytest.raises(TooManyReservedError, match="give some back"):
        reserve(store, last, "ada", minutes=10)
    reserve(store, ids[0], "ada", minutes=20)
    reserve(store, last, "bob", minutes=10)
    release(store, last, "bob")
    release(store, ids[0], "ada")

    assert reserve(store, last, "ada", minutes=10).reviewer == "ada"


def test_what_has_run_out_does_not_count(store: Store) -> None:
    *ids, last = submit(store, *(f"k{number}" for number in range(MAX_HELD + 1)))
    for one in ids:
        reserve(store, one, "ada", minutes=10)
    expire(store)

    assert reserve(store, last, "ada", minutes=10).reviewer == "ada"


def test_reserving_at_once_gives_nobody_more(store: Store) -> None:
    ids = submit(store, *(f"k{number}" for number in range(MAX_HELD + 4)))
    for one in ids[: MAX_HELD - 1]:
        reserve(store, one, "ada", minutes=10)

    def attempt(feedback_id: str) -> bool:
        try:
            reserve(store, feedback_id, "ada", minutes=10)
        except TooManyReservedError:
            return False
        return True

    got = together(*(lambda one=one: attempt(one) for one in ids[MAX_HELD - 1 :]))

    assert sum(got) == 1
