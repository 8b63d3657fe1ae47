import re

from httpx2 import Response

from feedback_pipeline.review.triage import triage
from feedback_pipeline.store import Submission, submit_many
from feedback_pipeline.store.reservations import reserve
from feedback_pipeline_tests.api.pages.conftest import NO_SUCH_COLUMN, RIVALS, MakeReviewing, Reviewing, text_of

ONE, OTHER = RIVALS


def keep(rita: Reviewing, kept: str, other: str, **fields: str) -> Response:
    return rita.send("/review/conflicts/keep", keep=[rita.ids[kept]], others=[rita.ids[other]], **fields)


def test_each_question_stands_there_once_with_its_rivals(rita: Reviewing) -> None:
    page = rita.get("/review/conflicts")

    assert page.text.count('<section class="card conflict"') == 1
    assert page.text.count('<article class="rival') == 2
    assert "2 waiting items" in text_of(page)
    assert "Keep this answer, give up the other" in text_of(page)


def test_keeping_one_answer_verifies_it_and_rejects_the_other(rita: Reviewing) -> None:
    page = keep(rita, ONE, OTHER)

    assert page.status_code == 200
    assert (rita.status(ONE), rita.status(OTHER)) == ("verified", "rejected")
    assert rita.history(OTHER)[-1]["reason"] == "another answer to the same question was chosen"
    assert "No contradictions" in text_of(rita.get("/review/conflicts"))


def test_every_wording_that_would_be_kept_is_shown(rita: Reviewing) -> None:
    question = "orders from the 13th"
    wordings = {
        "a": "SELECT order_id FROM orders WHERE order_id > 12",
        "b": "SELECT order_id FROM orders WHERE order_id >= 13",
        "c": "SELECT order_id FROM orders WHERE order_id = 1",
    }
    same = "SELECT order_id FROM orders WHERE NOT order_id <= 12"
    items = [
        Submission("shop", question, generated_sql=same, corrected_sql=sql, source="t", client_key=key)
        for key, sql in wordings.items()
    ]
    given = submit_many(rita.store, items)
    triage(rita.store, rita.settings)

    pages = [rita.get("/review/conflicts"), rita.get(f"/review/items/{given[0].feedback_id}")]

    for page in pages:
        shown = re.sub(r"\s*([<>=]+)\s*", r"\1", text_of(page))
        assert "2 wordings of one answer" in shown
        assert "order_id>12" in shown
        assert "order_id>=13" in shown
        assert shown.count("It gives the same rows as the generated SQL.") == 1


def test_what_became_of_each_is_told_by_its_status_and_loading_again_decides_nothing(rita: Reviewing) -> None:
    page = keep(rita, ONE, OTHER)
    events = len(rita.history(ONE)), len(rita.history(OTHER))

    again = rita.get(page.url.raw_path.decode())

    assert [answer.status_code for answer in page.history] == [303]
    for shown in (page.text, again.text):
        assert re.findall(r'<span class="tag \w+">(\w+)</span></td>', shown) == ["verified", "rejected"]
    assert (len(rita.history(ONE)), len(rita.history(OTHER))) == events


def test_what_could_not_be_given_up_is_told_with_the_reason(rita: Reviewing) -> None:
    reserve(rita.store, rita.ids[OTHER], "olga", minutes=5)

    shown = text_of(keep(rita, ONE, OTHER))

    assert "1 feedback could not be given up. " in shown
    assert "olga" in shown
    assert (rita.status(ONE), rita.status(OTHER)) == ("verified", "pending")


def test_a_word_that_is_noted_only_is_told_so(reviewing: MakeReviewing) -> None:
    both = reviewing(reviewers_per_item=2).sign_in()

    shown = text_of(keep(both, ONE, OTHER))

    assert "pending your word is noted (verified), more reviewers are needed" in shown
    assert "pending your word is noted (rejected), more reviewers are needed" in shown


def test_an_answer_in_use_is_superseded_by_the_one_that_is_kept(rita: Reviewing) -> None:
    rita.decide(OTHER, "verified")

    keep(rita, ONE, OTHER, reason="means revenue")

    assert (rita.status(ONE), rita.status(OTHER)) == ("verified", "superseded")
    assert rita.history(OTHER)[-1]["reason"] == "means revenue"


def test_an_answer_that_cannot_be_kept_costs_the_other_nothing(rita: Reviewing) -> None:
    failed = keep(rita, NO_SUCH_COLUMN, OTHER)
    reserve(rita.store, rita.ids[ONE], "olga", minutes=5)
    held = keep(rita, ONE, OTHER)

    assert "Nothing was given up" in text_of(failed)
    assert "somebody else has it" in text_of(held)
    assert rita.status(OTHER) == "pending"


def test_the_way_back_leads_to_no_other_site(rita: Reviewing) -> None:
    page = keep(rita, ONE, OTHER, back="https://evil.example/")

    assert "evil.example" not in page.text
    assert 'href="/review"' in page.text


def test_other_databases_take_no_part(nobody: Reviewing) -> None:
    nobody.sign_in(databases=["another"])

    page = nobody.get("/review/conflicts")
    keep(nobody, ONE, OTHER)

    assert "0 waiting items" in text_of(page)
    assert (nobody.status(ONE), nobody.status(OTHER)) == ("pending", "pending")


def test_a_conflict_page_that_does_not_exist_says_so(rita: Reviewing) -> None:
    assert rita.get("/review/conflicts?cursor=x").status_code == 422


def test_hostile_rivals_do_nothing(rita: Reviewing) -> None:
    question = "which <script>alert(1)</script> river"
    items = [
        Submission(
            "shop", question, corrected_sql=f"SELECT '<script>alert({n})</script>', {n}", source="t", client_key=str(n)
        )
        for n in (1, 2)
    ]
    submit_many(rita.store, items)
    triage(rita.store, rita.settings)

    page = rita.get("/review/conflicts")

    assert "<script>alert" not in page.text
    assert "<script>alert(1)</script>" in text_of(page)
