import pytest

from feedback_pipeline.store import Submission, get_feedback, submit_many
from feedback_pipeline.store.reservations import MAX_HELD, reserve
from feedback_pipeline_tests.api.pages.conftest import NO_SUCH_COLUMN, MakeReviewing, Reviewing, text_of


def test_reviewing_from_the_queue_reserves_the_item(rita: Reviewing) -> None:
    page = rita.act("c001", "reserve", "?q=returns")

    assert page.url.path == f"/review/items/{rita.ids['c001']}"
    assert page.url.params["q"] == "returns"
    assert "yours until" in text_of(page)


def test_what_somebody_else_has_can_be_looked_at_only(rita: Reviewing) -> None:
    reserve(rita.store, rita.ids["c001"], "olga", minutes=5)

    page = rita.act("c001", "reserve")
    decided = rita.act("c001", "verify")

    assert "Somebody else has this item. olga has it until" in text_of(page)
    assert decided.status_code == 409
    assert rita.status("c001") == "pending"


def test_who_has_too_many_items_is_told_so(rita: Reviewing) -> None:
    items = [
        Submission("shop", f"how many of number {n}", corrected_sql=f"SELECT {n}", client_key=f"n{n}", source="test")
        for n in range(MAX_HELD)
    ]
    for stored in submit_many(rita.store, items):
        reserve(rita.store, stored.feedback_id, "rita", minutes=5)

    page = rita.act("c001", "reserve")
    verified = rita.act("c002", "verify", then="next")

    assert "You have too many items. You have 20 items already" in text_of(page)
    assert rita.status("c002") == "verified"
    assert "Verified. You have 20 items already" in text_of(verified)


def test_an_edit_by_two_reviewers_is_kept_once(rita: Reviewing) -> None:
    rita.act("c002", "edit", corrected_sql="SELECT 7", natural_query="how many", then="stay")

    late = rita.sign_in("olga").act("c002", "edit", corrected_sql="SELECT 8", natural_query="how many")

    assert late.status_code == 409
    assert "Nothing was changed. Someone else made the original superseded" in text_of(late)


def test_giving_an_item_back_lets_others_take_it(rita: Reviewing) -> None:
    rita.act("c001", "reserve")

    rita.act("c001", "release")

    assert reserve(rita.store, rita.ids["c001"], "olga", minutes=5).reviewer == "olga"


def test_verifying_leads_to_the_next_item_of_the_same_filter_and_takes_it(rita: Reviewing) -> None:
    page = rita.act("c006", "verify", "?order=oldest&q=e", then="next", reason="checked by hand")

    assert rita.status("c006") == "verified"
    event = rita.history("c006")[-1]
    assert (event["actor"], event["reason"]) == ("rita", "checked by hand")
    assert page.url.path == f"/review/items/{rita.ids['c007']}"
    assert dict(page.url.params) == {"order": "oldest", "q": "e"}
    shown = text_of(page)
    assert "Verified." in shown
    assert "yours until" in shown


def test_the_next_item_is_one_that_nobody_else_has(rita: Reviewing) -> None:
    reserve(rita.store, rita.ids["c007"], "olga", minutes=5)

    page = rita.act("c006", "verify", "?order=oldest&q=e", then="next")

    assert page.url.path == f"/review/items/{rita.ids['c010']}"


def test_after_the_last_item_the_queue_begins_again(rita: Reviewing) -> None:
    page = rita.act("c002", "verify", "?q=repeat", then="next")

    assert page.url.path == "/review"
    assert "Nothing else waits here." in text_of(page)


def test_verifying_may_stay_on_the_item(rita: Reviewing) -> None:
    page = rita.act("c001", "verify", then="stay")

    assert page.url.path == f"/review/items/{rita.ids['c001']}"
    assert "Verified." in text_of(page)


def test_skipping_gives_the_item_back_and_takes_the_next(rita: Reviewing) -> None:
    rita.act("c006", "reserve")

    page = rita.act("c006", "skip", "?order=oldest&q=e")

    assert page.url.path == f"/review/items/{rita.ids['c007']}"
    assert "Nobody has this item." in text_of(rita.item("c006"))


def test_rejecting_needs_a_reason(rita: Reviewing) -> None:
    without = rita.act("c001", "reject", reason="  ")
    assert without.status_code == 422
    assert rita.status("c001") == "pending"

    rita.act("c001", "reject", reason="counts returns twice")

    assert rita.status("c001") == "rejected"
    assert get_feedback(rita.store, rita.ids["c001"])["status_reason"] == "counts returns twice"


def test_failed_checks_are_overridden_with_a_reason_only(rita: Reviewing) -> None:
    plain = rita.act(NO_SUCH_COLUMN, "verify", reason="it is right")
    assert plain.status_code == 409
    assert "fails the check names_resolve" in text_of(plain)
    assert "it is right" in plain.text

    unexplained = rita.act(NO_SUCH_COLUMN, "verify", override="yes")
    assert unexplained.status_code == 422
    assert rita.status(NO_SUCH_COLUMN) == "pending"

    rita.act(NO_SUCH_COLUMN, "verify", override="yes", reason="the column comes tomorrow")

    assert rita.status(NO_SUCH_COLUMN) == "verified"
    assert rita.history(NO_SUCH_COLUMN)[-1]["payload"]["override"] is True
    assert "override of Tables and columns exist" in text_of(rita.item(NO_SUCH_COLUMN))


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("verify", {"reason": "mine"}),
        ("reject", {"reason": "mine"}),
        ("supersede", {"reason": "mine"}),
        ("edit", {"reason": "mine", "corrected_sql": "SELECT 7", "natural_query": "how many"}),
    ],
)
def test_a_decision_on_what_has_moved_on_changes_nothing_and_says_what_happened(
    rita: Reviewing, action: str, fields: dict[str, str]
) -> None:
    rita.decide(
        "c001", {"supersede": "verified", "reject": "superseded"}.get(action, "rejected"), reason="olga was faster"
    )
    before = len(rita.history("c001"))

    page = rita.act("c001", action, **fields)

    assert page.status_code == 409
    shown = text_of(page)
    assert "Nothing was changed." in shown
    assert "by olga: olga was faster" in shown
    assert len(rita.history("c001")) == before


def test_deciding_the_same_again_changes_nothing(rita: Reviewing) -> None:
    rita.act("c001", "verify", then="stay")
    before = len(rita.history("c001"))

    page = rita.act("c001", "verify", then="stay")

    assert page.status_code == 200
    assert "Nothing to do." in text_of(page)
    assert len(rita.history("c001")) == before


def test_an_edit_is_verified_in_the_place_of_the_original(rita: Reviewing) -> None:
    better = (
        "SELECT COUNT(*) AS repeat_customers\r\nFROM (SELECT customer_id FROM orders GROUP BY 1 HAVING COUNT(*) > 1)"
    )

    rita.act("c002", "edit", corrected_sql=better, natural_query="number of repeat customers", then="stay")

    assert rita.status("c002") == "superseded"
    new_id = rita.history("c002")[-1]["payload"]["superseded_by"]
    new = get_feedback(rita.store, new_id)
    assert new["status"] == "verified"
    assert new["corrected_sql"] == better.replace("\r\n", "\n")
    assert new["natural_query"] == "number of repeat customers"
    assert f"/review/items/{new_id}" in rita.item("c002").text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"corrected_sql": "   ", "natural_query": "q"}, "The SQL is missing"),
        ({"corrected_sql": "SELECT 1", "natural_query": " "}, "The question is missing"),
        ({"corrected_sql": "SELECT '\0'", "natural_query": "q"}, "NUL character"),
        ({"corrected_sql": "SELECT 1" + " " * 60_000 + "x", "natural_query": "q"}, "at most 50,000"),
        ({"corrected_sql": "SELECT 1", "natural_query": "q", "override": "yes"}, "Say why"),
    ],
)
def test_an_edit_that_cannot_be_kept_is_shown_again(rita: Reviewing, fields: dict[str, str], says: str) -> None:
    page = rita.act("c002", "edit", **fields)

    assert page.status_code == 422
    assert says in text_of(page)
    assert rita.status("c002") == "pending"


def test_an_edit_that_fails_its_checks_keeps_what_was_typed(rita: Reviewing) -> None:
    page = rita.act("c002", "edit", corrected_sql="SELECT nothing FROM nowhere", natural_query="how many?")

    assert page.status_code == 409
    assert "fails the check" in text_of(page)
    assert "SELECT nothing FROM nowhere</textarea>" in page.text
    assert rita.status("c002") == "pending"


def test_what_was_decided_is_reopened_and_superseded(rita: Reviewing) -> None:
    rita.act("c001", "verify", then="stay")

    rita.act("c001", "reopen", expected="verified", reason="look again")
    assert rita.status("c001") == "pending"

    rita.act("c001", "supersede", reason="there is a better one")
    assert rita.status("c001") == "superseded"


def test_what_is_verified_is_promoted_at_once_when_asked_for(rita: Reviewing, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(rita.app.state.services.runs, "request", asked.append)
    too_early = rita.act("c001", "apply")
    rita.act("c001", "verify", then="stay")

    page = rita.act("c001", "apply", expected="verified")

    assert too_early.status_code == 409
    assert asked == ["promote_verified"]
    assert "Promotion has been asked for." in text_of(page)


def test_where_several_reviewers_have_to_agree_each_word_is_noted(reviewing: MakeReviewing) -> None:
    both = reviewing(reviewers_per_item=2)

    first = both.sign_in("olga").act("c001", "verify", then="stay")
    assert "Your word is noted." in text_of(first)
    assert both.status("c001") == "pending"

    both.sign_in("rita").act("c001", "verify", then="stay")

    assert both.status("c001") == "verified"
