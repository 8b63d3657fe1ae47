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
from feedback_pipeline_tests.review.conftest import LONG, WRONG, Say


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
