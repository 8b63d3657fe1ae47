from typing import Any

import pytest

from feedback_pipeline.review import editing
from feedback_pipeline.review.deciding import verify
from feedback_pipeline.review.editing import edit_and_verify
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Store,
    UnknownFeedbackError,
    count_by_status,
    decide,
    get_feedback,
    opt_out,
)
from feedback_pipeline.store.reservations import reserve
from feedback_pipeline.store.standing import standings
from feedback_pipeline_tests.review.conftest import LONG, WIDE, WRONG, Say
from feedback_pipeline_tests.store.running import together


def test_an_edit_becomes_feedback_of_the_same_user_and_takes_the_place_of_the_original(
    store: Store, store_settings: Settings, say: Say
) -> None:
    original = say(WRONG)

    edited = edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG, reason="mended")

    assert edited.outcome == "done"
    assert edited.feedback_id is not None
    new, old = get_feedback(store, edited.feedback_id), get_feedback(store, original)
    assert (new["status"], new["source"], new["corrected_sql"]) == ("verified", "review_edit", LONG)
    assert (new["natural_query"], new["generated_sql"]) == (old["natural_query"], old["generated_sql"])
    assert (old["status"], old["history"][-1]["payload"]) == ("superseded", {"superseded_by": edited.feedback_id})
    owners = {standing.owner for standing in standings(store, [original, edited.feedback_id]).values()}
    assert owners == {store.hash_user("ann")}


def test_the_same_edit_again_changes_nothing(store: Store, store_settings: Settings, say: Say) -> None:
    original = say(WRONG)
    first = edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG)

    again = edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG)

    assert (again.feedback_id, again.outcome) == (first.feedback_id, "unchanged")
    assert {status: count for status, count in count_by_status(store).items() if count} == {
        "verified": 1,
        "superseded": 1,
    }


def test_an_edit_interrupted_before_the_original_was_superseded_is_finished_by_doing_it_again(
    store: Store, store_settings: Settings, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = say(WRONG)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(editing, "verify", killed)
        with pytest.raises(KeyboardInterrupt):
            edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG)
    between = count_by_status(store)["pending"]
    edited = edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG)

    assert between == 2
    assert edited.outcome == "done"
    assert get_feedback(store, original)["status"] == "superseded"


def test_an_edit_that_fails_its_checks_leaves_nothing_behind(store: Store, store_settings: Settings, say: Say) -> None:
    original = say()

    refused = edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=WRONG)

    assert (refused.outcome, refused.code, refused.feedback_id) == ("refused", "checks_failed", None)
    assert "names_resolve" in (refused.detail or "")
    assert sum(count_by_status(store).values()) == 1
    options = {"reviewer": "ada", "corrected_sql": WRONG, "override": True}
    with pytest.raises(ValueError, match="needs a reason"):
        edit_and_verify(store, store_settings, original, **options)
    assert edit_and_verify(store, store_settings, original, **options, reason="a new column").outcome == "done"


def test_an_edit_may_change_the_question(store: Store, store_settings: Settings, say: Say) -> None:
    edited = edit_and_verify(
        store, store_settings, say(), reviewer="ada", corrected_sql=LONG, natural_query="Rivers over 1000 km?"
    )

    assert edited.feedback_id is not None
    assert get_feedback(store, edited.feedback_id)["natural_query"] == "Rivers over 1000 km?"


def test_what_cannot_be_edited_says_why(store: Store, store_settings: Settings, say: Say) -> None:
    same, rejected, reserved, optout = say(), say(), say(), say(user_id="zoe")
    decide(store, [rejected], "rejected", actor="bob", reason="no")
    reserve(store, reserved, "bob", minutes=10)
    opt_out(store, store.hash_user("zoe"))

    def code(feedback_id: str, sql: str = "SELECT 2") -> str | None:
        return edit_and_verify(store, store_settings, feedback_id, reviewer="ada", corrected_sql=sql).code

    assert code(same, LONG) == "no_change"
    assert code(rejected) == "illegal_transition"
    assert code(reserved) == "reserved"
    assert code(optout) == "illegal_transition"
    with pytest.raises(UnknownFeedbackError):
        code("no-such-id")


def test_with_two_reviewers_the_second_one_finishes_the_edit(store: Store, two_reviewers: Settings, say: Say) -> None:
    original = say(WRONG)

    edited = edit_and_verify(store, two_reviewers, original, reviewer="ada", corrected_sql=LONG)
    between = get_feedback(store, original)["status"]
    [second] = verify(store, two_reviewers, [edited.feedback_id or ""], reviewer="bob")

    assert (edited.outcome, between, second.outcome) == ("noted", "pending", "done")
    assert get_feedback(store, original)["status"] == "superseded"


def test_an_original_that_was_reopened_stays_open_when_its_edit_is_verified_once_more(
    store: Store, store_settings: Settings, say: Say
) -> None:
    original = say(WRONG)
    edited = edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG)
    decide(store, [original], "reopened", actor="bob")

    verify(store, store_settings, [edited.feedback_id or ""], reviewer="cy")

    assert get_feedback(store, original)["status"] == "pending"
    assert edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG).outcome == "unchanged"
    assert get_feedback(store, original)["status"] == "superseded"


def by_status(store: Store) -> dict[str, int]:
    return {status: count for status, count in count_by_status(store).items() if count}


def test_of_different_edits_at_once_one_is_verified_and_the_others_have_moved_on(
    store: Store, store_settings: Settings, say: Say
) -> None:
    original = say(WRONG)

    def attempt(number: int) -> editing.Edited:
        sql = f"SELECT name FROM river WHERE length > {number}"
        return edit_and_verify(store, store_settings, original, reviewer=f"r{number}", corrected_sql=sql)

    edits = together(*(lambda n=n: attempt(n) for n in range(8)))

    assert sorted((edit.outcome, edit.code) for edit in edits) == [("done", None)] + [("refused", "moved_on")] * 7
    statuses = by_status(store)
    assert statuses.pop("verified") == 1
    assert set(statuses) == {"superseded"}
    [won] = [edit.feedback_id for edit in edits if edit.outcome == "done"]
    assert get_feedback(store, original)["history"][-1]["payload"] == {"superseded_by": won}


def test_what_an_edit_has_superseded_accepts_no_other_edit(store: Store, store_settings: Settings, say: Say) -> None:
    original, by_hand = say(WRONG), say(WRONG, question="Which are wide?")
    edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG)
    decide(store, [by_hand], "superseded", actor="ada")

    others = [
        edit_and_verify(store, store_settings, one, reviewer="bob", corrected_sql=WIDE) for one in (original, by_hand)
    ]

    assert [(other.outcome, other.code, other.feedback_id) for other in others] == [("refused", "moved_on", None)] * 2
    assert by_status(store) == {"verified": 1, "superseded": 2}


def test_an_edit_of_what_is_no_longer_as_it_was_seen_is_refused(
    store: Store, store_settings: Settings, say: Say
) -> None:
    original = say()
    verify(store, store_settings, [original], reviewer="ada")

    refused, done = (
        edit_and_verify(store, store_settings, original, reviewer="bob", corrected_sql=WIDE, expected=expected)
        for expected in ("pending", "verified")
    )

    assert (refused.code, refused.feedback_id, done.outcome) == ("moved_on", None, "done")


@pytest.mark.parametrize("event", ["withdrawn", "superseded", "rejected"])
def test_nothing_is_stored_when_the_original_goes_while_the_edit_is_checked(
    store: Store, store_settings: Settings, say: Say, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    original = say(WRONG, user_id=None)
    checked = editing.run_as_evidence

    def overtaken(*arguments: Any) -> Any:
        decide(store, [original], event, actor="somebody", reason="first")
        return checked(*arguments)

    monkeypatch.setattr(editing, "run_as_evidence", overtaken)
    edited = edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG)

    assert (edited.outcome, edited.feedback_id) == ("refused", None)
    assert by_status(store) == {event: 1}


def test_an_edit_whose_original_is_rejected_before_it_is_verified_does_not_wait(
    store: Store, store_settings: Settings, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = say(WRONG)

    def overtaken(*arguments: Any, **options: Any) -> Any:
        decide(store, [original], "rejected", actor="bob", reason="no")
        return verify(*arguments, **options)

    monkeypatch.setattr(editing, "verify", overtaken)
    edited = edit_and_verify(store, store_settings, original, reviewer="ada", corrected_sql=LONG)

    assert (edited.outcome, edited.code) == ("refused", "moved_on")
    assert by_status(store) == {"rejected": 1, "superseded": 1}


def two_waiting_edits(store: Store, settings: Settings, say: Say) -> list[str]:
    original = say(WRONG)
    edits = (("ada", LONG), ("bob", WIDE))
    return [
        edit_and_verify(store, settings, original, reviewer=who, corrected_sql=sql).feedback_id or ""
        for who, sql in edits
    ]


def test_an_edit_that_is_verified_supersedes_the_others_that_wait(
    store: Store, two_reviewers: Settings, say: Say
) -> None:
    first, second = two_waiting_edits(store, two_reviewers, say)
    before = by_status(store)

    [done] = verify(store, two_reviewers, [first], reviewer="cy")
    [late] = verify(store, two_reviewers, [second], reviewer="cy")

    assert before == {"pending": 3}
    assert (done.outcome, late.outcome) == ("done", "refused")
    assert by_status(store) == {"verified": 1, "superseded": 2}


def test_of_two_edits_verified_in_one_call_one_wins(
    store: Store, two_reviewers: Settings, store_settings: Settings, say: Say
) -> None:
    edits = two_waiting_edits(store, two_reviewers, say)

    answers = verify(store, store_settings, edits, reviewer="cy")

    assert sorted((answer.outcome, answer.code) for answer in answers) == [("done", None), ("refused", "moved_on")]
    assert by_status(store) == {"verified": 1, "superseded": 2}
