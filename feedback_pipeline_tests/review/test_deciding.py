from datetime import UTC, datetime, timedelta

import pytest

from feedback_pipeline.review.agreement import agreement
from feedback_pipeline.review.deciding import Reviewed, reject, reopen, supersede, verify
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, decide, get_feedback
from feedback_pipeline.store.reservations import reserve, standing
from feedback_pipeline.store.reviews import reviews_of
from feedback_pipeline_tests.review.conftest import WRONG, Say
from feedback_pipeline_tests.store.running import together


def words(store: Store, feedback_id: str) -> list[tuple[str, str]]:
    return [(review.reviewer, review.verdict) for review in reviews_of(store, [feedback_id]).get(feedback_id, ())]


def test_verifying_checks_first_and_notes_the_word(store: Store, store_settings: Settings, say: Say) -> None:
    one = say()

    [reviewed] = verify(store, store_settings, [one], reviewer="ada", reason="read it")

    assert reviewed == Reviewed(one, "done", None, "verified")
    assert [event["event"] for event in get_feedback(store, one)["history"]] == ["submitted", "checked", "verified"]
    assert words(store, one) == [("ada", "verified")]
    assert verify(store, store_settings, [one], reviewer="bob")[0].outcome == "unchanged"
    assert words(store, one) == [("ada", "verified")]


def test_the_check_that_stands_in_the_way_is_named_and_can_be_overridden(
    store: Store, store_settings: Settings, say: Say
) -> None:
    one = say(WRONG)

    [refused] = verify(store, store_settings, [one], reviewer="ada")
    with pytest.raises(ValueError, match="needs a reason"):
        verify(store, store_settings, [one], reviewer="ada", reason=" ", override=True)
    [done] = verify(store, store_settings, [one], reviewer="ada", reason="column is new", override=True)

    assert (refused.outcome, refused.code, refused.status) == ("refused", "checks_failed", "pending")
    assert "names_resolve" in (refused.detail or "")
    assert "nothing" in (refused.detail or "")
    assert done.outcome == "done"
    payload = get_feedback(store, one)["history"][-1]["payload"]
    assert payload == {"override": True, "overridden_check": "names_resolve"}


def test_what_has_moved_on_or_does_not_exist_is_said(store: Store, store_settings: Settings, say: Say) -> None:
    one = say()
    verify(store, store_settings, [one], reviewer="ada")

    [moved] = reject(store, store_settings, [one], reviewer="bob", reason="no", expected="pending")
    [pending] = reopen(store, store_settings, [say()], reviewer="bob")
    [unknown] = verify(store, store_settings, ["no-such-id"], reviewer="bob")

    assert (moved.outcome, moved.code, moved.status) == ("refused", "moved_on", "verified")
    assert pending.outcome == "unchanged"
    assert (unknown.outcome, unknown.status) == ("unknown", None)


def test_a_rejection_needs_a_reason(store: Store, store_settings: Settings, say: Say) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        reject(store, store_settings, [say()], reviewer="ada", reason=" ")


def test_nobody_decides_what_another_has_reserved(store: Store, store_settings: Settings, say: Say) -> None:
    one = say()
    reserve(store, one, "ada", minutes=10)

    for decide_it in (verify, reject, supersede):
        [answer] = decide_it(store, store_settings, [one], reviewer="bob", reason="mine")
        assert (answer.outcome, answer.code, answer.status) == ("reserved", "reserved", "pending")
        assert "ada has it until" in (answer.detail or "")
    assert words(store, one) == []
    assert verify(store, store_settings, [one], reviewer="ada")[0].outcome == "done"
    with store.read() as session:
        assert standing(session, [one]) == {}


def test_two_reviewers_have_to_agree(store: Store, two_reviewers: Settings, say: Say) -> None:
    one = say()

    [first] = verify(store, two_reviewers, [one], reviewer="ada")
    [again] = verify(store, two_reviewers, [one], reviewer="ada")
    [second] = verify(store, two_reviewers, [one], reviewer="bob")

    assert (first.outcome, first.status) == ("noted", "pending")
    assert first.detail == "2 reviewers have to agree; so far: 1 × verified."
    assert again.outcome == "noted"
    assert (second.outcome, second.status) == ("done", "verified")
    assert words(store, one) == [("ada", "verified"), ("bob", "verified")]


def test_a_contrary_word_leaves_it_waiting_and_a_third_settles_it(
    store: Store, two_reviewers: Settings, say: Say
) -> None:
    one = say()
    verify(store, two_reviewers, [one], reviewer="ada")

    [against] = reject(store, two_reviewers, [one], reviewer="bob", reason="wrong column")
    [third] = reject(store, two_reviewers, [one], reviewer="cy", reason="indeed")

    assert (against.outcome, against.status) == ("noted", "pending")
    assert "1 × rejected, 1 × verified" in (against.detail or "")
    assert (third.outcome, third.status) == ("done", "rejected")


def test_a_reviewers_later_word_takes_the_place_of_the_earlier(store: Store, two_reviewers: Settings, say: Say) -> None:
    one = say()
    verify(store, two_reviewers, [one], reviewer="ada")
    reject(store, two_reviewers, [one], reviewer="ada", reason="looked again")

    assert words(store, one) == [("ada", "rejected")]
    assert verify(store, two_reviewers, [one], reviewer="bob")[0].outcome == "noted"


def test_words_before_a_reopening_do_not_count(store: Store, two_reviewers: Settings, say: Say) -> None:
    one = say()
    for reviewer in ("ada", "bob"):
        verify(store, two_reviewers, [one], reviewer=reviewer)

    [reopened] = reopen(store, two_reviewers, [one], reviewer="cy", reason="look again")
    before = words(store, one)
    [once] = verify(store, two_reviewers, [one], reviewer="ada")

    assert (reopened.outcome, reopened.status) == ("done", "pending")
    assert before == []
    assert (once.outcome, words(store, one)) == ("noted", [("ada", "verified")])


def test_what_is_in_use_is_taken_out_by_one_reviewer(store: Store, two_reviewers: Settings, say: Say) -> None:
    one = say()
    for reviewer in ("ada", "bob"):
        verify(store, two_reviewers, [one], reviewer=reviewer)

    [rejected] = reject(store, two_reviewers, [one], reviewer="cy", reason="does harm")

    assert (rejected.outcome, rejected.status) == ("done", "rejected")


def test_with_several_reviewers_one_alone_supersedes_only_what_is_in_use(
    store: Store, two_reviewers: Settings, say: Say
) -> None:
    one = say()

    [alone] = supersede(store, two_reviewers, [one], reviewer="ada", reason="mine is better")
    for reviewer in ("ada", "bob"):
        verify(store, two_reviewers, [one], reviewer=reviewer)
    [in_use] = supersede(store, two_reviewers, [one], reviewer="ada", reason="a newer answer")

    assert (alone.outcome, alone.code, alone.status) == ("refused", "needs_agreement", "pending")
    assert (in_use.outcome, in_use.status) == ("done", "superseded")


def test_with_several_reviewers_nobody_verifies_what_they_gave(
    store: Store, two_reviewers: Settings, store_settings: Settings, say: Say
) -> None:
    one = say(user_id="ada")

    [own] = verify(store, two_reviewers, [one], reviewer="ada")
    rejected = reject(store, two_reviewers, [one], reviewer="ada", reason="I was wrong")
    alone = verify(store, store_settings, [say(user_id="ada")], reviewer="ada")

    assert (own.outcome, own.code) == ("refused", "own_feedback")
    assert rejected[0].outcome == "noted"
    assert alone[0].outcome == "done"


def test_of_reviewers_who_agree_at_once_one_finishes_it(store: Store, two_reviewers: Settings, say: Say) -> None:
    ids = [say(question=f"Which rivers are long, number {number}?") for number in range(5)]
    for one in ids:
        # Checked before, so that the decisions themselves meet.
        verify(store, two_reviewers, [one], reviewer="zoe")
        reject(store, two_reviewers, [one], reviewer="zoe", reason="no, wait")

    outcomes = [
        sorted(
            answer[0].outcome
            for answer in together(
                *(lambda r=r, one=one: verify(store, two_reviewers, [one], reviewer=r) for r in ("ada", "bob"))
            )
        )
        for one in ids
    ]

    assert outcomes == [["done", "noted"]] * 5


def test_agreement_is_counted_over_what_several_have_judged(store: Store, two_reviewers: Settings, say: Say) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert agreement(store, since).alpha is None
    same, split, alone = (say(question=f"Which rivers, number {number}?") for number in range(3))
    for one in (same, split, alone):
        verify(store, two_reviewers, [one], reviewer="ada")
    verify(store, two_reviewers, [same], reviewer="bob")
    undefined = agreement(store, since)
    reject(store, two_reviewers, [split], reviewer="bob", reason="no")

    found = agreement(store, since)

    assert (undefined.pairs, undefined.share, undefined.alpha) == (1, 1.0, None)
    assert (found.items, found.reviewers, found.pairs, found.agreeing, found.share) == (2, 2, 2, 1, 0.5)
    # Observed disagreement 1/2; expected of three "verified" and one "rejected" 6/12: alpha is 1 - 1 = 0.
    assert found.alpha == pytest.approx(0.0)
    assert agreement(store, datetime.now(UTC) + timedelta(minutes=1)).items == 0


def test_decisions_made_elsewhere_do_not_need_reviewers(store: Store, two_reviewers: Settings, say: Say) -> None:
    one = say()
    verify(store, two_reviewers, [one], reviewer="ada")

    assert decide(store, [one], "withdrawn", actor="user")[0].outcome == "done"
