import re

import pytest
from httpx2 import Response

from feedback_pipeline.api.pages.browsing import AGES, ORDERS
from feedback_pipeline.api.pages.evidence import failure_in_words
from feedback_pipeline.curation.verdicts import CHECK_NAMES
from feedback_pipeline.store import Submission, submit_many
from feedback_pipeline.store.reservations import reserve
from feedback_pipeline_tests.api.pages.conftest import CHOSEN, NO_SUCH_COLUMN, RIVALS, Reviewing, text_of


def keys_on(page: Response, reviewing: Reviewing) -> list[str]:
    keys = dict(zip(reviewing.ids.values(), reviewing.ids, strict=True))
    return [str(keys.get(found, found)) for found in re.findall(r'data-id="([^"]+)"', page.text)]


def test_everything_that_waits_is_listed_with_counts(reader: Reviewing) -> None:
    page = reader.get("/review")

    assert set(keys_on(page, reader)) == {*CHOSEN, "hostile"}
    shown = text_of(page)
    assert "10 items waiting" in shown
    assert "Failed 1" in shown
    assert "In conflict 2" in shown
    assert "shop (10)" in shown
    assert re.search(r"asked \d+ more times?|asked once", shown)
    assert "results differ" in shown


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("checks=failed", {NO_SUCH_COLUMN}),
        ("conflict=yes", set(RIVALS)),
        ("q=REPEAT+customers", {"c002"}),
        ("q=repeat&checks=failed", set()),
        ("database=another", set()),
        ("status=rejected", set()),
        ("age=older&q=cancel", {"c003"}),
        ("age=day", set()),
        ("checks=nonsense&order=nonsense&status=nonsense&q=cancel", {"c003"}),
    ],
)
def test_filters_narrow_the_queue(reader: Reviewing, query: str, keys: set[str]) -> None:
    page = reader.get(f"/review?{query}")

    assert page.status_code == 200
    assert set(keys_on(page, reader)) == keys
    assert keys or "Nothing matches" in text_of(page)


def test_a_failure_is_told_by_what_is_wrong(reader: Reviewing) -> None:
    shown = text_of(reader.get("/review?checks=failed"))

    assert "failed Unknown table or column" in shown
    assert "Tables and columns exist" not in shown


def test_every_check_that_can_fail_has_words_for_it() -> None:
    assert not [name for name in CHECK_NAMES if failure_in_words(name).startswith("not so")]


@pytest.mark.parametrize("words", [*ORDERS.values(), *(words for words, _, _ in AGES.values())])
def test_choices_fit_into_their_field(words: str) -> None:
    assert len(words) <= 14


def test_links_remember_the_filter(reader: Reviewing) -> None:
    page = reader.get("/review?q=repeat&order=oldest")

    assert f'href="/review/items/{reader.ids["c002"]}?q=repeat&amp;order=oldest"' in page.text
    assert 'href="/review?checks=failed&amp;q=repeat&amp;order=oldest"' in page.text


def test_pages_lead_through_the_whole_queue(rita: Reviewing) -> None:
    items = [
        Submission("shop", f"how many of number {n}", corrected_sql=f"SELECT {n}", client_key=f"n{n}", source="test")
        for n in range(100)
    ]
    submit_many(rita.store, items)
    seen: list[str] = []

    page = rita.get("/review?order=oldest")
    while True:
        seen += keys_on(page, rita)
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        if not following:
            break
        page = rita.get(following[1].replace("&amp;", "&"))
        assert "First page" in page.text

    assert len(seen) == len(set(seen)) == 110


def test_a_page_that_does_not_exist_says_so(reader: Reviewing) -> None:
    answer = reader.get("/review?cursor=nonsense")

    assert answer.status_code == 422
    assert "begin at the first one" in text_of(answer)


def test_who_may_see_some_databases_sees_and_counts_no_other(nobody: Reviewing) -> None:
    nobody.sign_in(databases=["another"])

    page = nobody.get("/review")

    assert keys_on(page, nobody) == []
    assert "0 items waiting" in text_of(page)
    assert "shop" not in text_of(page)


def test_the_queue_says_who_has_an_item(rita: Reviewing) -> None:
    reserve(rita.store, rita.ids["c001"], "olga", minutes=5)
    reserve(rita.store, rita.ids["c002"], "rita", minutes=5)

    shown = text_of(rita.get("/review"))
    free = keys_on(rita.get("/review?free=yes"), rita)

    assert "with olga until" in shown
    assert "yours until" in shown
    assert "c001" not in free
    assert "c002" in free


def test_an_empty_queue_says_that_nothing_waits(rita: Reviewing) -> None:
    for key in rita.ids:
        rita.decide(key, "rejected")

    page = rita.get("/review")

    assert "Nothing waits" in text_of(page)
    assert 'id="bulk"' not in page.text


def test_the_part_that_changes_comes_alone_and_swallows_no_message(rita: Reviewing) -> None:
    left = rita.client.post(
        f"/review/items/{rita.ids['c001']}/release", data={"csrf": rita.csrf()}, follow_redirects=False
    )
    assert left.status_code == 303

    part = rita.get("/review", headers={"X-Fragment": "queue"})
    whole = rita.get("/review")
    again = rita.get("/review")

    assert "<html" not in part.text
    assert keys_on(part, rita) == keys_on(whole, rita)
    assert "X-Fragment" in part.headers["vary"]
    assert "Given back." in text_of(whole)
    assert "Given back." not in text_of(again)


def test_a_message_that_another_session_left_is_not_shown(rita: Reviewing) -> None:
    rita.client.post(f"/review/items/{rita.ids['c001']}/release", data={"csrf": rita.csrf()}, follow_redirects=False)
    left = rita.client.cookies["feedback_flash"]
    assert "given" not in left.lower()

    rita.sign_in("olga")
    rita.client.cookies.set("feedback_flash", left)

    assert "Given back." not in text_of(rita.get("/review"))


@pytest.mark.parametrize("action", ["verify", "reject"])
def test_selected_items_are_decided_each_with_an_answer(rita: Reviewing, action: str) -> None:
    ids = [rita.ids[key] for key in ("c001", "c002", NO_SUCH_COLUMN)]
    rita.decide("c002", "rejected")

    page = rita.send("/review/bulk", action=action, feedback_ids=ids, reason="looked at them")

    shown = text_of(page)
    assert page.status_code == 200
    assert rita.status("c001") == {"verify": "verified", "reject": "rejected"}[action]
    assert rita.history("c001")[-1]["actor"] == "rita"
    if action == "verify":
        assert "it is rejected" in shown
        assert "names_resolve" in shown
        assert rita.status(NO_SUCH_COLUMN) == "pending"


def test_rejecting_selected_items_needs_a_reason(rita: Reviewing) -> None:
    page = rita.send("/review/bulk", action="reject", feedback_ids=[rita.ids["c001"]])

    assert "A reason is needed." in text_of(page)
    assert rita.status("c001") == "pending"


def test_deciding_nothing_says_so(rita: Reviewing) -> None:
    assert "Nothing is selected." in text_of(rita.send("/review/bulk", action="verify"))
    assert rita.send("/review/bulk", action="nonsense", feedback_ids=["x"]).status_code == 422


def test_items_of_other_databases_cannot_be_selected(nobody: Reviewing) -> None:
    nobody.sign_in(databases=["another"])

    nobody.send("/review/bulk", action="reject", feedback_ids=[nobody.ids["c001"]], reason="no")

    assert nobody.status("c001") == "pending"


@pytest.mark.parametrize("role", ["reviewer", "admin"])
def test_selected_items_are_verified_by_the_rules_for_many_whoever_selects_them(nobody: Reviewing, role: str) -> None:
    nobody.sign_in("ada", role)

    page = nobody.send("/review/bulk", action="verify", feedback_ids=[nobody.ids[key] for key in ("c001", *RIVALS)])

    assert nobody.status("c001") == "verified"
    assert [nobody.status(key) for key in RIVALS] == ["pending", "pending"]
    assert text_of(page).count("contradicts another answer") == 2


def test_an_administrator_verifies_everything_that_matches_and_passes(nobody: Reviewing) -> None:
    nobody.sign_in("ada", "admin")

    page = nobody.send("/review/bulk?q=cancel", action="verify-matching")

    assert nobody.status("c003") == "verified"
    assert nobody.status("c001") == "pending"
    assert "What became of everything that matched" in text_of(page)


def test_a_reviewer_may_not_verify_everything_that_matches(rita: Reviewing) -> None:
    answer = rita.send("/review/bulk", action="verify-matching")

    assert answer.status_code == 403
    assert rita.status("c001") == "pending"
    assert "Verify everything that matches" not in rita.get("/review").text
