from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from feedback_pipeline.review.bulk import BulkResult, bulk_verify
from feedback_pipeline.review.queue import QueueFilter
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, count_by_status, decide, get_feedback, submit_many
from feedback_pipeline.store.reservations import reserve
from feedback_pipeline.store.reviews import reviews_of
from feedback_pipeline_tests.review.conftest import LONG, WIDE, WRONG, Say
from feedback_pipeline_tests.store.running import together
from feedback_pipeline_tests.store.samples import MOMENT, submission


def verify(store: Store, settings: Settings, ids: Any, **options: Any) -> dict[str, tuple[str, str | None]]:
    results = bulk_verify(store, settings, reviewer="ada", feedback_ids=ids, **options)
    return {result.feedback_id: (result.result, result.reason) for result in results}


def test_every_feedback_gets_a_result_with_its_reason(store: Store, store_settings: Settings, say: Say) -> None:
    good, wrong = say(), say(WRONG, "Which have nothing?")
    one, other = say(LONG, "Which?"), say(WIDE, "which")
    low, flagged = say(LONG, "low?", rating=2), say("SELECT 'Rhine'", "Which one?")
    done, reserved = say(LONG, "done?"), say(LONG, "reserved?")
    decide(store, [done], "rejected", actor="bob", reason="no")
    reserve(store, reserved, "bob", minutes=10)

    found = verify(store, store_settings, [good, wrong, one, other, low, flagged, done, reserved, "no-such-id"])

    assert found[good] == ("verified", None)
    assert found[wrong] == ("failed", "failed check: names_resolve")
    assert found[one] == found[other] == ("conflict", "conflict")
    assert found[low] == ("skipped", "rating below 4")
    assert found[flagged] == ("skipped", "flagged")
    assert found[done] == ("skipped", "it is rejected")
    assert found[reserved][0] == "skipped"
    assert "bob has it until" in (found[reserved][1] or "")
    assert found["no-such-id"][0] == "failed"
    assert count_by_status(store)["verified"] == 1
    assert [word.reviewer for word in reviews_of(store, [good])[good]] == ["ada"]


def test_again_it_finds_nothing_more_to_do(store: Store, store_settings: Settings, say: Say) -> None:
    ids = [say(question=f"Which rivers, number {number}?") for number in range(3)]

    first, again = (Counter(verify(store, store_settings, ids).values()) for _ in range(2))

    assert first == {("verified", None): 3}
    assert again == {("skipped", "it is verified"): 3}


def test_a_dry_run_decides_nothing(store: Store, store_settings: Settings, say: Say) -> None:
    one = say()

    assert verify(store, store_settings, [one], dry_run=True) == {one: ("verified", None)}
    assert get_feedback(store, one)["status"] == "pending"


def test_what_was_not_chosen_still_speaks_against_what_was(store: Store, store_settings: Settings, say: Say) -> None:
    chosen, rival = say(LONG), say(WIDE)

    assert verify(store, store_settings, [chosen]) == {chosen: ("conflict", "conflict")}
    assert get_feedback(store, rival)["status"] == "pending"


def test_a_filter_chooses_like_the_queue(store: Store, store_settings: Settings, say: Say) -> None:
    old = say(question="old?", created_at=MOMENT - timedelta(days=9))
    new = say(question="new?")
    elsewhere = say(question="old elsewhere?", created_at=MOMENT - timedelta(days=9), database_id="shop")
    wanted = QueueFilter(databases=frozenset({"geo"}), submitted_before=MOMENT)

    results = bulk_verify(store, store_settings, reviewer="ada", wanted=wanted)

    assert results == [BulkResult(old, "verified", None)]
    assert {get_feedback(store, i)["status"] for i in (new, elsewhere)} == {"pending"}


def test_feedback_of_other_databases_does_not_exist(store: Store, store_settings: Settings, say: Say) -> None:
    one = say()

    [(result, reason)] = verify(store, store_settings, [one], databases=frozenset({"shop"})).values()

    assert result == "failed"
    assert "No feedback has the id" in (reason or "")


def test_either_ids_or_a_filter_are_needed(store: Store, store_settings: Settings) -> None:
    with pytest.raises(ValueError, match="either"):
        bulk_verify(store, store_settings, reviewer="ada")
    with pytest.raises(ValueError, match="either"):
        bulk_verify(store, store_settings, reviewer="ada", feedback_ids=[], wanted=QueueFilter())


def test_where_several_have_to_agree_it_is_one_word(store: Store, two_reviewers: Settings, say: Say) -> None:
    one = say()

    [(result, reason)] = verify(store, two_reviewers, [one]).values()
    second = bulk_verify(store, two_reviewers, reviewer="bob", feedback_ids=[one])

    assert (result, reason) == ("skipped", "2 reviewers have to agree; so far: 1 × verified.")
    assert second == [BulkResult(one, "verified", None)]


@pytest.mark.usefixtures("geo")
def test_two_at_once_never_decide_the_same_feedback(store: Store, store_settings: Settings) -> None:
    items = [
        submission(
            f"b{n}", natural_query=f"rivers longer than {n}?", corrected_sql=f"{LONG} + {n}", user_id=f"u{n % 90}"
        )
        for n in range(600)
    ]
    ids = [stored.feedback_id for stored in submit_many(store, items)]
    verify(store, store_settings, ids, dry_run=True)

    both = together(*(lambda r=r: bulk_verify(store, store_settings, reviewer=r, feedback_ids=ids) for r in "ab"))

    done = [result.feedback_id for results in both for result in results if result.result == "verified"]
    assert sorted(done) == sorted(ids)
    assert all({result.result for result in results} <= {"verified", "skipped"} for results in both)
