"""Nobody weighs more than their share, and nobody pays for what somebody else does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.deduplication import deduplicate
from feedback_pipeline.curation.weighting import MIN_VOICES, UserWeights, user_weights
from feedback_pipeline_tests.curation.samples import verified, verified_frame

ROUNDING = 1.1
"""How far above the limit a share may come to lie because factors are rounded down."""

counts = st.dictionaries(
    st.sampled_from([None, *"abcdefghij"]), st.integers(1, 5_000) | st.integers(1, 20), min_size=1, max_size=11
)
shares = st.sampled_from([0.05, 0.1, 0.2, 0.25, 1 / 3, 0.5, 0.9, 1.0])


def totals(voices: dict[Any, int], weights: UserWeights) -> dict[Any, float]:
    return {user: count * weights.factors.get(user, 1.0) for user, count in voices.items()}


@given(voices=counts, share=shares)
def test_no_user_holds_more_than_the_share_where_that_can_be(voices: dict[Any, int], share: float):
    weights = user_weights(voices, share)

    held = totals(voices, weights)
    users = [weight for user, weight in held.items() if user is not None]
    if sum(voices.values()) < MIN_VOICES:
        assert weights.factors == {}
    elif users and (None in voices or len(users) >= 1 / share):
        assert max(users) <= share * sum(held.values()) * ROUNDING
    elif users:
        assert max(users) <= min(users) * ROUNDING


@given(voices=counts, share=shares)
def test_no_more_is_taken_than_needed(voices: dict[Any, int], share: float):
    weights = user_weights(voices, share)

    held = totals(voices, weights)
    smallest = min((count for user, count in voices.items() if user is not None), default=0)
    for user in weights.factors:
        assert held[user] * ROUNDING >= min(share * sum(held.values()), smallest) * 0.999
    assert None not in weights.factors
    if weights.largest_before <= share:
        assert weights.factors == {}


@given(voices=counts, share=shares, order=st.randoms(use_true_random=False))
def test_the_order_of_users_is_irrelevant(voices: dict[Any, int], share: float, order: Any):
    shuffled = list(voices.items())
    order.shuffle(shuffled)

    assert user_weights(voices, share) == user_weights(dict(shuffled), share)


@given(voices=counts, share=shares)
def test_a_flood_costs_nobody_else_anything(voices: dict[Any, int], share: float):
    before = user_weights(voices, share)

    after = user_weights({**voices, "hostile": 1_000}, share)

    if sum(voices.values()) >= MIN_VOICES and len(voices.keys() - {None}) >= 1 / share:
        assert all(after.factors.get(user, 1.0) >= before.factors.get(user, 1.0) for user in voices)


def test_a_flood_leaves_relative_weights_as_they_are_and_stays_within_its_share():
    voices: dict[str | None, int] = {f"user{number}": 10 + number for number in range(20)}

    weights = user_weights({**voices, "hostile": 1_000}, 0.25)

    assert set(weights.factors) == {"hostile"}
    assert weights.largest_before > 0.7
    assert weights.largest_after <= 0.25


def test_repeats_of_one_user_change_nothing():
    rows = [verified(number, natural_query=f"q{number}", user_hash=f"user{number % 9}") for number in range(120)]
    repeats = [verified(1_000 + n, natural_query="Q1 ?", user_hash="user1") for n in range(50)]

    once, often = (deduplicate(verified_frame(table), max_user_share=0.1) for table in (rows, rows + repeats))

    assert once.kept["weight"].equals(often.kept["weight"])
    assert once.users == often.users


def test_few_voices_are_left_as_they_are():
    assert user_weights({"a": MIN_VOICES - 10, "b": 9}, 0.1).factors == {}


def test_feedback_of_the_team_is_never_scaled_and_counts_in_the_total():
    weights = user_weights({None: 900, "a": 300, "b": 10}, 0.25)

    assert weights.factors == {}
    assert [share.user for share in weights.shares] == [None, "a", "b"]


def test_with_too_few_users_all_weigh_as_much_as_the_smallest():
    assert user_weights({"a": 1_000, "b": 10}, 0.25).factors == {"a": 0.01}


@pytest.mark.parametrize(("voices", "factor"), [(130, 0.24), (131, 0.23), (136, 0.23), (137, 0.22)])
def test_factors_keep_two_digits_and_are_rounded_down(voices: int, factor: float):
    others: dict[str | None, int] = {f"user{number}": 1 for number in range(94)}

    assert user_weights({**others, "a": voices}, 0.25).factors == {"a": factor}


def test_the_report_numbers_users_and_names_no_hash():
    weights = user_weights({"0123456789abcdef": 3, None: 1}, 1.0)

    assert [row["user"] for row in weights.report()] == ["user 1", "(without user)"]
    assert user_weights({}, 0.25).largest_after == 0
