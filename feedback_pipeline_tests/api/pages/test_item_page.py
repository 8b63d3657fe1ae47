from typing import Any

import pytest

from feedback_pipeline.api.pages.evidence import comparison_of
from feedback_pipeline.store import Submission, submit_many
from feedback_pipeline.store.reservations import reserve
from feedback_pipeline_tests.api.pages.conftest import (
    DIFFERS,
    HOSTILE,
    NO_SUCH_COLUMN,
    RIVALS,
    MakeReviewing,
    Reviewing,
    text_of,
)
from feedback_pipeline_tests.api.worlds import World


def test_an_item_shows_everything_that_helps_to_decide(reader: Reviewing) -> None:
    page = reader.item(DIFFERS)

    shown = text_of(page)
    assert "number of repeat customers" in shown
    assert "returned one row per customer, not the number of them" in shown
    assert "<del>" in page.text
    assert "<ins>" in page.text
    assert "The results differ." in shown
    assert "Rows that only the corrected SQL gives, or gives more often" in shown
    assert "Tables and columns exist passed" in shown
    assert "submitted" in shown


def test_looking_at_an_item_reserves_nothing(reader: Reviewing) -> None:
    assert "Nobody has this item." in text_of(reader.item("c001"))
    assert "Nobody has this item." in text_of(reader.item("c001"))


def test_feedback_that_is_superseded_says_so_and_offers_nothing_but_to_reopen_it(rita: Reviewing) -> None:
    rita.decide("c001", "superseded")

    page = rita.item("c001")

    shown = text_of(page)
    assert "Another answer has taken its place. To edit it or decide again, reopen it." in shown
    assert "Edit and verify" not in shown
    assert 'id="more-h"' not in page.text
    assert page.text.count('class="act-reopen"') == 1
    rita.act("c001", "reopen", expected="superseded", reason="look again")
    assert rita.status("c001") == "pending"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"corrected": "too_large"}, "There are too many rows to show which of them differ."),
        ({"detail": "results differ: same rows in another order"}, "Both give the same rows, in another order."),
        ({}, "No sample of the rows that differ was kept."),
        ({"only_in_generated": [[1]]}, None),
        ({"results_equal": None}, None),
        ({"generated": "error"}, None),
    ],
)
def test_results_that_differ_without_rows_to_show_say_why(facts: dict[str, Any], said: str | None) -> None:
    outcomes = {side: facts.get(side, "ok") for side in ("corrected", "generated")}
    sides = {side: {"outcome": outcome, "rows": 9, "columns": ["n"]} for side, outcome in outcomes.items()}

    comparison = comparison_of({"results_equal": False, **facts, **sides})

    assert comparison is not None
    assert comparison.no_sample == said


def test_a_failed_check_is_told_with_its_reason_and_verifying_asks_for_an_override(reader: Reviewing) -> None:
    page = reader.item(NO_SUCH_COLUMN)

    shown = text_of(page)
    assert "Tables and columns exist failed Column &#39;age&#39;".replace("&#39;", "'") in shown
    assert "Verify although a check failed" in shown


def test_sql_can_be_laid_out_over_several_lines(reader: Reviewing) -> None:
    as_written, laid_out = reader.item(DIFFERS), reader.item(DIFFERS, "?sql=formatted")

    assert laid_out.text.count('class="before"') > as_written.text.count('class="before"')


def test_rivals_stand_side_by_side(reader: Reviewing) -> None:
    page = reader.item(RIVALS[0])

    assert page.text.count('<article class="rival') == 2
    assert page.text.count('<span class="tag info">this one</span>') == 1
    assert reader.ids[RIVALS[1]] in page.text


def test_every_text_of_a_user_is_shown_and_does_nothing(reader: Reviewing) -> None:
    page = reader.item("hostile")

    shown = text_of(page)
    assert "{{7*7}} ${7*7}" in shown
    for payload in (
        "<script>alert",
        "<img src=x",
        "<svg onload",
        "<iframe src",
        "<b>x</b>",
        "<i>",
        "</textarea><script>",
    ):
        assert payload not in page.text
    assert 'href="javascript' not in page.text
    assert "U+202E" in shown
    assert "U+200B" in shown
    assert "\u202e" not in page.text + reader.get("/review").text
    assert "alert('q')" in shown
    assert HOSTILE["comment"].split("\u200b")[0] in shown


def test_a_feedback_with_one_side_only_shows_just_that(rita: Reviewing) -> None:
    [only] = submit_many(
        rita.store,
        [Submission("crm", "accounts", corrected_sql="SELECT name\nFROM accounts", source="test", client_key="one")],
    )

    page = rita.get(f"/review/items/{only.feedback_id}")

    assert 'class="lines"' in page.text
    assert "<del>" not in page.text
    assert "what was generated is not known" in text_of(page)


def test_an_item_shows_what_was_learned_about_similar_questions_but_not_itself(rita: Reviewing) -> None:
    learned = [(f"number of customers {name}", [rita.ids[key]]) for name, key in (("a", "c001"), ("b", DIFFERS))]
    World(rita.app, rita.client).publish(*learned)

    page = rita.item(DIFFERS)

    assert "Similar questions, already learned" in text_of(page)
    assert "number of customers a" in text_of(page)
    assert "number of customers b" not in text_of(page)
    assert f'href="/review/items/{rita.ids["c001"]}"' in page.text


def test_an_item_says_who_has_it(rita: Reviewing) -> None:
    reserve(rita.store, rita.ids["c001"], "olga <b>", minutes=5)

    assert "olga <b> has this item until" in text_of(rita.item("c001"))


def test_an_item_says_what_other_reviewers_said(reviewing: MakeReviewing) -> None:
    both = reviewing(reviewers_per_item=2)
    both.sign_in("olga").act("c001", "verify", reason="I ran it")

    shown = text_of(both.sign_in("rita").item("c001"))

    assert "2 reviewers have to agree" in shown
    assert "verified olga" in shown
    assert "I ran it" in shown


@pytest.mark.parametrize("unknown", ["nothing", "01a16804-b388-7ec5-959f-11c537fada92", "%00", "%ff", "a%2Fb", "'--"])
def test_an_item_that_is_not_there_gives_a_page_that_says_so(reader: Reviewing, unknown: str) -> None:
    answer = reader.get(f"/review/items/{unknown}")

    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert "To the queue" in text_of(answer)


def test_an_item_of_another_database_looks_like_one_that_is_not_there(nobody: Reviewing) -> None:
    nobody.sign_in(databases=["another"])

    hidden, missing = nobody.item("c001"), nobody.get("/review/items/nothing")
    decided = nobody.act("c001", "verify")

    assert hidden.status_code == missing.status_code == decided.status_code == 404
    assert text_of(hidden).replace(nobody.ids["c001"], "nothing") == text_of(missing)
    assert nobody.status("c001") == "pending"
