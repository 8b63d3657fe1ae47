"""The widget in a real browser, on pages of other origins, before a real server."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from feedback_pipeline.api import create_app
from feedback_pipeline.store import Interaction, Store, list_feedback, open_store, record_many, transition
from feedback_pipeline_tests.api.conftest import api_settings, token
from feedback_pipeline_tests.api.widget_pages import ANSWER, HOSTILE, Site, chromium, complaints_of
from feedback_pipeline_tests.client.servers import Unreliable, serving

expect.set_options(timeout=10_000)


class Stage:
    """A browser, the API, a site whose origin the API knows, and one it does not."""

    def __init__(self, browser: Browser, store: Store, api: Unreliable, urls: dict[str, str], site: Site):
        self.browser, self.store, self.api, self.urls, self.site = browser, store, api, urls, site
        self._numbers = count(1)

    def answer(self, user: str | None = "ann") -> int:
        """Record an answer that a user got; its id."""
        item = Interaction("text2sql", "How many?", "SELECT 1", database_id="shop", user_id=user)
        return record_many(self.store, [item])[0][0]

    def page_with(self, body: str, *, script: str | None = None, head: str = "", policy: str = "") -> str:
        """Put a page on both sites; its path. ``script`` are the attributes of the element that loads the widget."""
        path = f"/{next(self._numbers)}"
        attributes = f'data-token="{token()}"' if script is None else script
        include = f'<script src="{self.urls["api"]}/widget.js" {attributes} defer></script>'
        self.site.pages[path] = f'<!doctype html><html lang="en"><title>t</title>{head}{include}<main>{body}</main>'
        self.site.policies[path] = policy
        return path

    def rating_of(self, interaction_id: int) -> tuple[int | None, str | None]:
        with self.store.read() as session:
            query = f"SELECT feedback, feedback_reason FROM interactions WHERE interaction_id = {interaction_id}"
            return tuple(session.connection().exec_driver_sql(query).one())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    site = Site()
    with ExitStack() as stack:
        urls = {name: stack.enter_context(serving(site)) for name in ("known", "unknown")}
        settings = api_settings(
            tmp_path_factory.mktemp("widget") / "data",
            api_origins=urls["known"],
            api_rate_limit="10000/minute",
            api_sign_in_rate_limit="1000/minute",
        )
        api = Unreliable(create_app(settings))
        urls["api"] = stack.enter_context(serving(api))
        store = open_store(settings)
        stack.callback(store.close)
        yield Stage(stack.enter_context(chromium()), store, api, urls, site)


@pytest.fixture
def open_page(stage: Stage) -> Iterator[Callable[..., Page]]:
    """Open a page of a site in a tab of its own, or an empty one: ``open_page(path, at="unknown")``."""
    stage.api.faults.clear()
    with ExitStack() as stack:

        def opened(path: str | None, *, at: str = "known", **options: Any) -> Page:
            context = stage.browser.new_context(**options)
            stack.callback(context.close)
            page = context.new_page()
            if path is not None:
                page.goto(stage.urls[at] + path)
            return page

        yield opened


OpenPage = Callable[..., Page]


def article(interaction_id: int, more: str = "") -> str:
    return f"<article {ANSWER.format(id=interaction_id)} {more}>An answer.</article>"


def thumb(page: Page, name: str):
    return page.get_by_role("button", name=f"{name} answer")


def test_a_page_of_a_configured_origin_can_rate_and_give_a_reason(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    page = open_page(stage.page_with(article(interaction_id)))

    thumb(page, "Good").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    first = stage.rating_of(interaction_id)
    thumb(page, "Bad").click()
    page.get_by_role("button", name="Wrong filter").click()
    page.get_by_label("In your own words").fill("last year is meant")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Thank you. The reason has been added.")

    assert first == (1, None)
    assert stage.rating_of(interaction_id) == (-1, "wrong filter: last year is meant")
    expect(thumb(page, "Bad")).to_have_attribute("aria-pressed", "true")
    expect(thumb(page, "Good")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_label("In your own words")).to_be_hidden()


def test_a_page_of_another_origin_cannot(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    page = open_page(stage.page_with(article(interaction_id)), at="unknown")

    thumb(page, "Good").click()

    expect(page.get_by_role("status")).to_contain_text("could not be reached")
    expect(thumb(page, "Good")).to_have_attribute("aria-pressed", "false")
    assert stage.rating_of(interaction_id) == (None, None)


def test_neither_styles_nor_a_strict_policy_of_the_page_break_it(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    stage.site.pages["/hostile.css"] = HOSTILE
    policy = (
        f"default-src 'none'; script-src {stage.urls['api']}; connect-src {stage.urls['api']}; style-src 'self'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    head = '<link rel="stylesheet" href="/hostile.css">'
    path = stage.page_with(article(interaction_id), head=head, policy=policy)
    page = open_page(None)
    complaints = complaints_of(page)
    page.goto(stage.urls["known"] + path)

    thumb(page, "Bad").click()
    page.get_by_label("In your own words").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Thank you.")

    assert stage.rating_of(interaction_id) == (-1, None)
    assert complaints == []
    assert thumb(page, "Good").bounding_box()["width"] > 30  # type: ignore[index] - it is visible
    assert page.evaluate("getComputedStyle(document.querySelector('feedback-widget')).textTransform") == "none"


def test_a_correction_is_stored_once_and_its_fate_is_told_later(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    path = stage.page_with(article(interaction_id))
    page = open_page(path)
    before = len(stage.api.seen)

    page.get_by_role("button", name="Correct it").click()
    expect(page.get_by_label("The right SQL")).to_be_focused()
    expect(page.get_by_label("The right SQL")).to_have_value("SELECT 1")
    page.get_by_role("button", name="Send correction").click()
    expect(page.get_by_role("status")).to_have_text("Change the SQL, or say what was wrong.")
    page.get_by_label("The right SQL").fill("SELECT COUNT(*) FROM orders")
    page.get_by_label("What was wrong? (optional)").fill("it counts nothing")
    stage.api.faults = ["busy", "cut"]
    page.get_by_label("The right SQL").press("Control+Enter")
    expect(page.get_by_role("status")).to_contain_text("Nothing you typed is lost")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status")).to_have_text("Thank you. Waiting for review.")
    expect(page.get_by_role("button", name="Correct it")).to_have_attribute("aria-expanded", "false")

    [stored] = [row for row in list_feedback(stage.store) if row["comment"] == "it counts nothing"]
    keys = {key for method, _, key in stage.api.seen[before:] if method == "POST"}
    assert len(keys) == 1
    assert stored["corrected_sql"] == "SELECT COUNT(*) FROM orders"
    assert stored["generated_sql"] == "SELECT 1"
    page.reload()
    expect(page.get_by_role("status")).to_have_text("Your correction is waiting for review.")
    transition(stage.store, stored["feedback_id"], "rejected", actor="rita", reason="orders is the wrong table")
    page.reload()
    expect(page.get_by_role("status")).to_have_text("Your correction was not accepted: orders is the wrong table")


def test_applied_corrections_say_how_often_they_were_of_use(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    page = open_page(stage.page_with(article(interaction_id)))
    key = f"feedback-widget {stage.urls['api']}/ {interaction_id}"
    page.evaluate('([key]) => sessionStorage.setItem(key, \'{"feedback": "f-1"}\')', [key])
    uses = iter([0, 1, 7])

    def tell(route: Route):
        document = {"status": "applied", "applied": {"used_in_queries": next(uses)}}
        headers = {"Access-Control-Allow-Origin": stage.urls["known"]}
        route.fulfill(json=document, headers=headers)

    page.route("**/feedback/f-1", tell)

    for said in ("not needed since", "used in 1 query since", "used in 7 queries since"):
        page.reload()
        expect(page.get_by_role("status")).to_have_text(f"Learned from your correction, {said}.")


def test_without_a_network_the_text_stays_and_can_be_sent_again(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    page = open_page(stage.page_with(article(interaction_id)))
    page.get_by_role("button", name="Correct it").click()
    page.get_by_label("The right SQL").fill("SELECT 2 FROM a_long_thought")
    page.context.set_offline(True)

    page.get_by_role("button", name="Send correction").click()
    expect(page.get_by_role("status")).to_contain_text("could not be reached")
    expect(page.get_by_label("The right SQL")).to_have_value("SELECT 2 FROM a_long_thought")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").press("Enter")

    expect(page.get_by_role("status")).to_have_text("Thank you. Waiting for review.")
    # The button has gone from under the focus; it must not fall back to the top of the page.
    assert page.evaluate("document.activeElement.localName") == "feedback-widget"
    assert [row["corrected_sql"] for row in list_feedback(stage.store)].count("SELECT 2 FROM a_long_thought") == 1


def test_clicks_faster_than_the_network_end_with_the_last_one(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    page = open_page(stage.page_with(article(interaction_id)))

    for name in ("Good", "Bad", "Good", "Bad"):
        thumb(page, name).click(no_wait_after=True)
    expect(page.get_by_role("status")).to_have_text("Thank you.")

    assert stage.rating_of(interaction_id) == (-1, None)
    expect(thumb(page, "Bad")).to_have_attribute("aria-pressed", "true")


def test_without_a_token_it_asks_to_sign_in_and_sends_nothing(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    page = open_page(stage.page_with(article(interaction_id), script=""))
    before = len(stage.api.seen)

    expect(thumb(page, "Good")).to_have_attribute("aria-disabled", "true")
    expect(thumb(page, "Good")).to_have_attribute("title", "Sign in to give feedback.")
    thumb(page, "Good").dispatch_event("click")
    expect(page.get_by_role("status")).to_have_text("Sign in to give feedback.")
    assert len(stage.api.seen) == before
    page.evaluate("token => FeedbackWidget.configure({ token: async () => token })", token())
    thumb(page, "Good").click()

    expect(page.get_by_role("status")).to_have_text("Thank you.")
    assert stage.rating_of(interaction_id) == (1, None)


def test_an_expired_token_is_asked_for_again_once(stage: Stage, open_page: OpenPage):
    first, second = stage.answer(), stage.answer()
    page = open_page(stage.page_with(article(first) + article(second), script=""))
    page.evaluate(
        "tokens => { window.asked = 0; FeedbackWidget.configure({ token: () => tokens[window.asked++] ?? 'bad' }) }",
        [token(exp=1), token()],
    )

    thumb(page, "Good").first.click()
    expect(page.get_by_role("status").first).to_have_text("Thank you.")
    assert page.evaluate("window.asked") == 2
    page.evaluate("() => FeedbackWidget.configure({ token: () => { window.asked++; return 'bad' } })")
    thumb(page, "Good").last.click()

    expect(page.get_by_role("status").last).to_have_text("Sign in to give feedback.")
    assert page.evaluate("window.asked") == 4
    assert stage.rating_of(second) == (None, None)


@pytest.mark.parametrize("answer", ["json", "text"])
def test_the_token_may_come_from_the_pages_own_backend(stage: Stage, open_page: OpenPage, answer: str):
    interaction_id = stage.answer()
    path = "/my-token.json" if answer == "json" else "/my-token"
    stage.site.pages[path] = json.dumps({"token": token()}) if answer == "json" else f" {token()}\n"
    page = open_page(stage.page_with(article(interaction_id), script=f'data-token-url="{path}"'))

    thumb(page, "Good").click()

    expect(page.get_by_role("status")).to_have_text("Thank you.")
    assert stage.rating_of(interaction_id) == (1, None)


def test_answers_that_come_later_or_change_get_their_own_widget(stage: Stage, open_page: OpenPage):
    first, second = stage.answer(), stage.answer()
    twice = f'<script src="{stage.urls["api"]}/widget.js" defer></script>'
    page = open_page(stage.page_with("<article id=a>Later.</article>", head=twice))
    complaints = complaints_of(page)

    expect(thumb(page, "Good")).to_have_count(0)
    page.evaluate("id => { document.getElementById('a').dataset.interactionId = id }", first)
    thumb(page, "Good").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    # What frameworks do: throw away what they do not know, use an element again for another answer, add a tree.
    page.evaluate("() => document.querySelector('feedback-widget').remove()")
    expect(thumb(page, "Good")).to_have_attribute("aria-pressed", "true")
    page.evaluate("id => { document.getElementById('a').dataset.interactionId = id }", second)
    expect(thumb(page, "Good")).to_have_attribute("aria-pressed", "false")
    page.evaluate("() => { document.querySelector('main').innerHTML += '<div><p data-interaction-id=99></p></div>' }")
    expect(thumb(page, "Good")).to_have_count(2)
    page.evaluate("() => { document.querySelector('p').dataset.interactionId = 'x y' }")

    expect(thumb(page, "Good")).to_have_count(1)
    assert [text for text in complaints if "is no id: x y" not in text] == []
    assert stage.rating_of(second) == (None, None)


def test_all_of_it_works_by_keyboard_and_sets_off_no_shortcut_of_the_page(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    page = open_page(stage.page_with(article(interaction_id)))
    page.evaluate("() => { window.keys = []; addEventListener('keydown', (event) => keys.push(event.key)) }")

    page.keyboard.press("Tab")
    expect(thumb(page, "Good")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(thumb(page, "Bad")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Wrong result")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    expect(thumb(page, "Bad")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("jk")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Correct it")).to_be_focused()

    assert page.evaluate("window.keys") == ["Tab"]


def test_an_answer_that_rests_on_corrections_says_so(stage: Stage, open_page: OpenPage):
    learned = '[{"feedback_id":"f","example_id":"e","rank":1,"yours":%s}]'
    body = (
        f"<p id=mine data-learned-from='{learned % 'true'}'></p>"
        f"<p id=theirs data-learned-from='{learned % 'false'}'></p>"
        "<p id=none data-learned-from='[]'></p><p id=broken data-learned-from='{'></p>"
    )
    page = open_page(stage.page_with(body))

    expect(page.locator("#mine")).to_contain_text("Learned from your correction")
    expect(page.locator("#theirs")).to_contain_text("Learned from a correction")
    expect(page.locator("feedback-learned")).to_have_count(2)
    page.evaluate("() => { document.getElementById('mine').dataset.learnedFrom = '[]' }")
    expect(page.locator("feedback-learned")).to_have_count(1)


def test_texts_follow_the_page_and_can_all_be_replaced(stage: Stage, open_page: OpenPage):
    interaction_id = stage.answer()
    attributes = f'data-token="{token()}" data-lang="de"'
    page = open_page(stage.page_with(article(interaction_id), script=attributes))

    expect(page.get_by_role("button", name="Gute Antwort")).to_be_visible()
    page.evaluate("() => FeedbackWidget.configure({ labels: { up: 'Prima', rated: '<b>Merci</b>' } })")
    page.get_by_role("button", name="Prima").click()

    expect(page.get_by_role("status")).to_have_text("<b>Merci</b>")


@pytest.mark.parametrize("options", [{"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}])
def test_the_demo_shows_it_from_recording_to_asking_again(stage: Stage, open_page: OpenPage, options: dict[str, Any]):
    page = open_page(None, **options)
    page.goto(f"{stage.urls['api']}/widget/demo")
    complaints = complaints_of(page)

    page.get_by_label("Token").fill(token(f"demo {options}"))
    page.get_by_role("button", name="Start").click()
    thumb(page, "Good").nth(2).click()
    expect(page.get_by_role("status").filter(has_text=re.compile(r"^Thank you\.$"))).to_have_count(1)
    thumb(page, "Bad").nth(1).click()
    page.get_by_role("button", name="Correct it").first.click()
    found = Axe().run(page).response["violations"]
    page.get_by_label("The right SQL").first.fill("SELECT name FROM products")
    page.get_by_role("button", name="Send correction").first.click()
    expect(page.get_by_text("Thank you. Waiting for review.")).to_be_visible()
    page.get_by_role("button", name="Ask the same question again").click()
    expect(page.get_by_text("Nothing learned yet")).to_be_visible()

    assert [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in {"serious", "critical"}] == []
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_demo_says_what_is_wrong_with_a_token(stage: Stage, open_page: OpenPage):
    page = open_page(None)
    page.goto(f"{stage.urls['api']}/widget/demo")

    page.get_by_label("Token").fill("not.a.token")
    page.get_by_role("button", name="Start").click()

    expect(page.locator("#signed-in.bad")).to_contain_text("token")
    expect(thumb(page, "Good")).to_have_count(0)


@pytest.mark.parametrize("source", ["token", "async () => token"])
def test_what_one_user_gave_is_forgotten_when_another_comes(stage: Stage, open_page: OpenPage, source: str):
    interaction_id = stage.answer(user=None)
    page = open_page(stage.page_with(article(interaction_id)))
    thumb(page, "Good").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")

    page.evaluate(f"token => FeedbackWidget.configure({{ token: {source} }})", token("bob"))

    expect(thumb(page, "Good")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("status")).to_have_text("")
    before = len(stage.api.seen)
    thumb(page, "Good").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    assert "POST" in {method for method, *_ in stage.api.seen[before:]}


def test_a_renewed_token_of_the_same_user_forgets_nothing(stage: Stage, open_page: OpenPage):
    page = open_page(stage.page_with(article(stage.answer())))
    thumb(page, "Good").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")

    page.evaluate("token => FeedbackWidget.configure({ token })", token(renewed=True))
    expect(thumb(page, "Good")).to_have_attribute("aria-pressed", "true")
    page.reload()

    expect(thumb(page, "Good")).to_have_attribute("aria-pressed", "true")
