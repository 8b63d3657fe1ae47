"""Whose answers exist for whom, and what a later rating does."""

from typing import Any

import pytest
from sqlalchemy import select

from feedback_pipeline.store import (
    Interaction,
    OptedOutError,
    Speaker,
    Store,
    UnknownInteractionError,
    opt_out,
    rate,
    record_many,
)
from feedback_pipeline.store.models import InteractionRow
from feedback_pipeline_tests.store.running import together

ANN, BOB = "ann@example.com", "bob@example.com"


def answer(store: Store, user_id: str | None = ANN, database_id: str | None = "geo") -> int:
    [(interaction_id, _)] = record_many(
        store, [Interaction("text2sql", "how?", database_id=database_id, user_id=user_id)]
    )
    return interaction_id


def speaker(store: Store, user_id: str | None = ANN, *databases: str) -> Speaker:
    return Speaker(None if user_id is None else store.hash_user(user_id), frozenset(databases) if databases else None)


def rating(store: Store, interaction_id: int) -> Any:
    columns = InteractionRow.feedback, InteractionRow.feedback_reason, InteractionRow.rated_at
    with store.read() as session:
        return session.execute(select(*columns).where(InteractionRow.interaction_id == interaction_id)).one()


def test_a_user_rates_their_own_answer_and_replaces_it(store: Store) -> None:
    number = answer(store)

    rate(store, number, 1, "clear", by=speaker(store))
    rate(store, number, -1, by=speaker(store))

    assert rating(store, number)[:2] == (-1, None)


def test_the_same_rating_again_changes_nothing_not_even_its_time(store: Store) -> None:
    number = answer(store)
    rate(store, number, 1, "clear", by=speaker(store))
    before = rating(store, number)

    rate(store, number, 1, "clear", by=speaker(store))

    assert rating(store, number) == before


@pytest.mark.parametrize(
    ("owner", "database_id", "by"),
    [
        (ANN, "geo", (BOB,)),
        (ANN, "geo", (None,)),
        (ANN, "geo", (ANN, "shop")),
        (None, "geo", (BOB, "shop")),
        (None, "geo", (None, "shop")),
    ],
)
def test_an_answer_to_somebody_else_or_of_another_database_does_not_exist(
    store: Store, owner: str | None, database_id: str | None, by: tuple[Any, ...]
) -> None:
    number = answer(store, owner, database_id)

    with pytest.raises(UnknownInteractionError):
        rate(store, number, 1, by=speaker(store, *by))
    assert rating(store, number)[0] is None


@pytest.mark.parametrize(
    ("owner", "database_id", "by"),
    [
        (ANN, "geo", (ANN, "geo")),
        (ANN, None, (ANN, "shop")),
        (None, "geo", (BOB,)),
        (None, "geo", (None, "geo")),
        (None, None, (BOB, "shop")),
    ],
)
def test_an_answer_of_ones_own_or_of_nobody_known_can_be_rated(
    store: Store, owner: str | None, database_id: str | None, by: tuple[Any, ...]
) -> None:
    number = answer(store, owner, database_id)

    rate(store, number, 1, by=speaker(store, *by))

    assert rating(store, number)[0] == 1


def test_whoever_may_use_no_database_rates_only_what_belongs_to_none(store: Store) -> None:
    nowhere = Speaker(store.hash_user(ANN), frozenset())
    in_geo, in_none = answer(store), answer(store, database_id=None)

    rate(store, in_none, 1, by=nowhere)

    with pytest.raises(UnknownInteractionError):
        rate(store, in_geo, 1, by=nowhere)


def test_who_has_opted_out_rates_nothing_whether_it_exists_or_not(store: Store) -> None:
    numbers = answer(store), answer(store, None), answer(store, BOB), 4711
    opt_out(store, store.hash_user(ANN))

    for number in numbers:
        with pytest.raises(OptedOutError):
            rate(store, number, 1, by=speaker(store))

    assert [rating(store, number)[0] for number in numbers[:3]] == [None, None, None]


def test_of_many_ratings_at_once_one_stands(store: Store) -> None:
    number = answer(store)
    by = speaker(store)

    together(*[lambda n=n: rate(store, number, 1 if n % 2 else -1, f"reason {n}", by=by) for n in range(12)])

    given, reason, _ = rating(store, number)
    assert (given, reason) in {(1 if n % 2 else -1, f"reason {n}") for n in range(12)}
