"""When users agree enough, and what keeps an agreement, or a decision in bulk, from being relied on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.curation.conflicts import Claim
from feedback_pipeline.curation.consensus import Consensus, find_consensus, select_passing
from feedback_pipeline_tests.curation.claims import FAILED, claim


def agreed(*claims: Claim, users: int = 3, **options: Any) -> Consensus:
    return find_consensus(claims, users=users, **{"min_rating": 4, **options})


def three(**changes: Any) -> list[Claim]:
    return [claim(number, **changes) for number in (1, 2, 3)]


def test_enough_distinct_users_verify_each_others_feedback():
    [agreement] = agreed(*three()).agreements

    assert (agreement.feedback_ids, agreement.users) == (("f001", "f002", "f003"), 3)


def test_one_user_is_one_voice_however_often_it_is_raised():
    found = agreed(claim(1), claim(2), *(claim(number, "user1") for number in range(10, 60)))

    assert found.agreements == ()
    assert set(found.left_out.values()) == {"too few users"}


def test_feedback_without_user_is_nobodys_voice():
    found = agreed(claim(1), claim(2), claim(3, user_hash=None))

    assert found.agreements == ()


def test_a_query_that_gives_the_same_rows_adds_no_voice_and_is_not_carried_along():
    lucky = claim(4, sql="SELECT 6 FROM singer", result_digest="d")

    two = agreed(claim(1, result_digest="d"), claim(2, result_digest="d"), lucky)
    found = agreed(*three(result_digest="d"), lucky)

    assert two.agreements == ()
    assert [agreement.feedback_ids for agreement in found.agreements] == [("f001", "f002", "f003")]
    assert found.left_out == {"f004": "too few users"}


def test_what_a_reviewer_has_verified_counts_as_a_voice():
    found = agreed(claim(1, status="verified"), claim(2, status="applied"), claim(3))

    assert found.agreements[0].feedback_ids == ("f003",)
    assert found.left_out == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"evidence": {}}, "not executed"),
        ({"evidence": FAILED, "passed": False, "failed_check": "execution"}, "failed check: execution"),
        ({"sql": None, "passed": False, "failed_check": "parses"}, "failed check: parses"),
        ({"flags": ("instruction",)}, "flagged"),
        ({"rating": 3}, "rating below 4"),
    ],
)
def test_evidence_that_is_not_good_counts_for_nobody(changes: dict[str, Any], reason: str):
    found = agreed(claim(1), claim(2), claim(3, **changes))

    assert found.agreements == ()
    assert found.left_out == {"f001": "too few users", "f002": "too few users", "f003": reason}


def test_a_doubtful_claim_does_not_stop_those_who_agree_without_it():
    found = agreed(*three(), claim(4, flags=("odd",)), claim(5), bursts={"f005"})

    assert found.agreements[0].feedback_ids == ("f001", "f002", "f003")
    assert found.left_out == {"f004": "flagged", "f005": "burst"}


@pytest.mark.parametrize("status", ["pending", "verified", "applied"])
def test_a_rival_answer_prevents_a_consensus(status: str):
    found = agreed(*three(), claim(4, sql="SELECT 2", status=status))

    assert found.agreements == ()
    assert {found.left_out[i] for i in ("f001", "f002", "f003")} == {"conflict"}


def test_the_rejection_of_an_answer_stands_whoever_gives_it_again():
    found = agreed(*three(), claim(4, status="rejected"))

    assert set(found.left_out.values()) == {"rejected before"}
    assert found.agreements == ()


def test_the_rejection_of_another_answer_prevents_nothing():
    assert agreed(*three(), claim(4, sql="SELECT 2", status="rejected")).agreements


drawn_claims = st.lists(
    st.tuples(
        st.sampled_from(["cost", "price"]),
        st.sampled_from(["S1", "S2"]),
        st.sampled_from(["ann", "ben", "cy", "dee", None]),
        st.sampled_from(["pending", "pending", "verified", "applied", "rejected"]),
        st.sampled_from([{}, {}, {}, {"flags": ("odd",)}, {"evidence": {}}, {"passed": False}, {"rating": 1}]),
    ),
    max_size=14,
)


def built(drawn: list[tuple]) -> list[Claim]:
    return [
        claim(n, sql=sql, question=("shop", question), user_hash=user, status=status, **changes)
        for n, (question, sql, user, status, changes) in enumerate(drawn)
    ]


@given(drawn=drawn_claims, users=st.integers(2, 4), bursts=st.sets(st.sampled_from(["f000", "f001", "f002"])))
def test_every_agreement_keeps_all_its_conditions(drawn: list[tuple], users: int, bursts: set[str]):
    claims = {c.feedback_id: c for c in built(drawn)}

    found = agreed(*claims.values(), users=users, bursts=bursts)

    verify = [i for agreement in found.agreements for i in agreement.feedback_ids]
    assert sorted([*verify, *found.left_out]) == sorted(i for i, c in claims.items() if c.status == "pending")
    for agreement in found.agreements:
        first = claims[agreement.feedback_ids[0]]
        about = [c for c in claims.values() if c.question == first.question]
        same = [c for c in about if c.canonical_sql == first.canonical_sql]
        good = [c for c in same if c.passed and c.executed and not c.flags and c.rating is None]
        voices = {c.user_hash for c in good if c.status != "rejected" and c.feedback_id not in bursts} - {None}
        assert agreement.users == len(voices) >= users
        assert set(agreement.feedback_ids) <= {c.feedback_id for c in good} - bursts
        assert not any(c.status == "rejected" for c in same)
        assert all(c.canonical_sql == first.canonical_sql or not c.stands for c in about)


@given(drawn=drawn_claims, order=st.randoms(use_true_random=False))
def test_the_order_of_claims_is_irrelevant(drawn: list[tuple], order: Any):
    claims = built(drawn)
    shuffled = list(claims)
    order.shuffle(shuffled)

    one, other = agreed(*claims, users=2), agreed(*shuffled, users=2)

    assert set(one.agreements) == set(other.agreements)
    assert one.left_out == other.left_out


@given(drawn=drawn_claims)
def test_no_number_of_claims_by_one_user_verifies_anything_new(drawn: list[tuple]):
    claims = built(drawn)
    before = agreed(*claims, users=2)

    flood = [claim(500 + n, "hostile", sql=f"S{n % 5}", question=("shop", f"new {n}")) for n in range(100)]
    flood += [claim(700 + n, "hostile", sql="S9", question=("shop", "cost")) for n in range(50)]
    after = agreed(*claims, *flood, users=2)

    new = {i for agreement in after.agreements for i in agreement.feedback_ids}
    assert new <= {i for agreement in before.agreements for i in agreement.feedback_ids}


def test_in_bulk_all_that_passes_is_taken_and_the_rest_has_its_reason():
    claims = [
        claim(1),
        claim(2, question=("shop", "b"), evidence={}),
        claim(3, question=("shop", "c"), flags=("odd",)),
        claim(4, question=("shop", "d")),
        claim(5, question=("shop", "e"), passed=False, failed_check="execution"),
        claim(6, question=("shop", "f")),
        claim(7, question=("shop", "f"), sql="SELECT 2", status="applied"),
        claim(8, question=("shop", "g"), rating=2),
        claim(9, question=("shop", "h")),
        claim(10, question=("shop", "h"), status="rejected"),
        claim(11, sql=None, passed=False),
    ]

    found = select_passing(claims, min_rating=4, bursts={"f004"})

    assert found.passing == ("f001", "f002")
    assert found.left_out == {
        "f003": "flagged",
        "f004": "burst",
        "f005": "failed check: execution",
        "f006": "conflict",
        "f008": "rating below 4",
        "f009": "rejected before",
        "f011": "failed check: parses",
    }
    flagged_too = select_passing(claims, min_rating=4, bursts={"f004"}, include_flagged=True)
    assert flagged_too.passing == ("f001", "f002", "f003", "f004")


def test_a_flood_that_comes_slowly_is_left_out_of_bulk_and_the_others_are_not():
    flood = [claim(number, "mallory", question=("shop", f"q{number}")) for number in range(100, 160)]
    honest = [claim(number, question=("shop", f"q{number}")) for number in range(40)]

    found = select_passing([*flood, *honest], min_rating=4, max_user_share=0.25)
    with_flagged = select_passing([*flood, *honest], min_rating=4, max_user_share=0.25, include_flagged=True)

    assert len(found.passing) == 40
    assert set(found.left_out.values()) == {"too much from one user"}
    assert len(with_flagged.passing) == 100


def test_a_few_from_one_user_are_no_crowd():
    few = [claim(number, "ann", question=("shop", f"q{number}")) for number in range(30)]

    assert len(select_passing(few, min_rating=4, max_user_share=0.25).passing) == 30
