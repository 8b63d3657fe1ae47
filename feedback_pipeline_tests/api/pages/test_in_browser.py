"""The pages in a real browser before a real server: keys, selecting, what users wrote, and who cannot see or click."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from feedback_pipeline_tests.api.conftest import token
from feedback_pipeline_tests.api.pages.conftest import NO_SUCH_COLUMN, Reviewing, reviewing_at
from feedback_pipeline_tests.api.widget_pages import chromium, complaints_of
from feedback_pipeline_tests.client.servers import serving

expect.set_options(timeout=10_000)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


class Stage:
    """A browser, and a server whose items wait to be reviewed; each test has items of its own."""

    def __init__(self, browser: Browser, reviewing: Reviewing, url: str):
        self.browser, self.reviewing, self.url = browser, reviewing, url

    @contextmanager
    def signed_in(self, **options: object) -> Iterator[Page]:
        """Open the queue as an administrator; the browser must have nothing to complain about."""
        context: BrowserContext = self.browser.new_context(base_url=self.url, **options)  # pyright: ignore[reportArgumentType]
        page = context.new_page()
        complaints = complaints_of(page)
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.goto("/sign-in")
        page.get_by_label("Access token").fill(token("rita", "admin"))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Review queue")).to_be_visible()
        yield page
        context.close()
        assert complaints == []

    def address(self, key: str, query: str = "") -> str:
        return f"/review/items/{self.reviewing.ids[key]}{query}"


@pytest.fixture(scope="module")
def stage(filled_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    root = Path(shutil.copytree(filled_root, tmp_path_factory.mktemp("browser") / "data"))
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        opened = reviewing_at(root, api_rate_limit="10000/minute")
        reviewing = next(opened)
        yield Stage(browser, reviewing, stack.enter_context(serving(reviewing.app)))
        next(opened, None)


def test_no_page_shuts_anybody_out(stage: Stage) -> None:
    item = stage.address
    every = ("/review", "/review?q=nothing", item("c002"), item("c010", "?sql=formatted"), item(NO_SUCH_COLUMN))
    looks = ("/review", item("hostile"), item("c078"), "/review/conflicts")
    with stage.signed_in(color_scheme="light", viewport=DESKTOP, reduced_motion="reduce") as page:
        for path in (*every, *looks[1:]):
            assert complaints_about(page, path) == []


@pytest.mark.parametrize(
    ("scheme", "size"), [("dark", DESKTOP), ("light", PHONE), ("dark", PHONE)], ids=["dark", "phone", "dark phone"]
)
def test_no_look_of_a_page_shuts_anybody_out(stage: Stage, scheme: str, size: dict[str, int]) -> None:
    with stage.signed_in(color_scheme=scheme, viewport=size, reduced_motion="reduce") as page:
        for path in ("/review", stage.address("hostile"), "/review/conflicts"):
            assert complaints_about(page, path) == []


def complaints_about(page: Page, path: str) -> list[str]:
    """Return what keeps somebody from using a page, everything on it unfolded."""
    page.goto(path)
    page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return serious_violations(page) + ([f"{path} scrolls sideways"] if too_wide else [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_signing_in_shuts_nobody_out(stage: Stage, scheme: str) -> None:
    context = stage.browser.new_context(base_url=stage.url, color_scheme=scheme, viewport=PHONE)  # pyright: ignore[reportArgumentType]
    page = context.new_page()
    page.goto("/sign-in?next=/review")
    assert serious_violations(page) == []

    page.get_by_label("Access token").fill("wrong")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("cannot be used")
    assert serious_violations(page) == []
    context.close()


def serious_violations(page: Page) -> list[str]:
    """Return what axe-core finds that keeps somebody from using the page."""
    found = Axe().run(page).response["violations"]
    serious = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in serious for node in one["nodes"]]


def test_what_users_wrote_is_seen_and_does_nothing(stage: Stage) -> None:
    with stage.signed_in() as page:
        page.goto("/review?q=alert")
        expect(page.get_by_role("link", name="<script>alert('q')</script>")).to_be_visible()
        page.goto(stage.address("hostile"))

        expect(page.get_by_role("heading", level=1)).to_contain_text("{{7*7}} ${7*7}")
        expect(page.locator(".comment")).to_contain_text("<iframe src=javascript:alert(5)></iframe>")
        expect(page.locator(".diff")).to_contain_text("</textarea><script>alert(2)</script>")
        assert page.locator(".hidden-sign").all_text_contents().count("U+202E") == 1
        page.locator("#edit > summary").click()
        expect(page.get_by_label("Corrected SQL", exact=True)).to_have_value(
            re.compile("</code></pre><svg onload=alert")
        )
        page.get_by_label("Why it is rejected").fill("</textarea><script>alert(9)</script>")
        page.get_by_role("button", name="Reject", exact=True).click()
        expect(page.locator(".history .reason").first).to_have_text("</textarea><script>alert(9)</script>")
        assert page.evaluate("document.querySelectorAll('main script, main iframe, main img, main svg').length") == 0


def test_the_queue_is_gone_through_by_keys(stage: Stage) -> None:
    with stage.signed_in() as page:
        page.goto("/review?order=oldest")
        titles = page.locator("a.title")

        page.keyboard.press("j")
        expect(titles.nth(0)).to_be_focused()
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        expect(titles.nth(1)).to_be_focused()
        page.keyboard.press("x")
        expect(page.get_by_text("1 selected")).to_be_visible()
        page.keyboard.press("/")
        expect(page.get_by_label("Question contains")).to_be_focused()
        page.keyboard.type("jx?")
        expect(page.get_by_label("Question contains")).to_have_value("jx?")
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Control+j")
        page.keyboard.press("j")
        page.keyboard.press("Enter")

        page.wait_for_url("**/review/items/**")
        expect(page.get_by_text("yours", exact=True)).to_be_visible()


def test_an_item_is_decided_by_keys(stage: Stage) -> None:
    reviewing = stage.reviewing
    with stage.signed_in() as page:
        page.goto(stage.address("c001", "?order=oldest"))

        page.keyboard.press("r")
        expect(page.get_by_label("Why it is rejected")).to_be_focused()
        page.keyboard.type("very wrong, quite new")
        assert reviewing.status("c001") == "pending"
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        expect(page.get_by_label("Corrected SQL", exact=True)).to_be_focused()
        page.keyboard.press("Escape")
        page.keyboard.press("v")

        expect(page.locator(".banner")).to_contain_text("Verified.")
        assert reviewing.status("c001") == "verified"
        assert reviewing.ids["c001"] not in page.url
        second = page.url
        page.keyboard.press("n")
        expect(page.locator(".banner")).to_contain_text("Skipped.")
        assert page.url != second
        page.keyboard.press("q")
        page.wait_for_url("**/review?order=oldest")


def test_the_queue_follows_what_happens_without_losing_the_place(stage: Stage) -> None:
    with stage.signed_in() as page:
        page.goto("/review?order=oldest")
        page.get_by_label("Select all on this page").check()
        page.locator(f"tr[data-id='{stage.reviewing.ids['c007']}'] input").uncheck()
        page.locator("#bulk-reason").fill("half a reason")
        page.locator(f"tr[data-id='{stage.reviewing.ids['c010']}'] a.title").focus()
        stage.reviewing.decide("c003", "rejected")

        with page.expect_response("**/review?order=oldest"):
            page.evaluate("document.dispatchEvent(new Event('review:refresh'))")

        expect(page.locator(f"tr[data-id='{stage.reviewing.ids['c003']}']")).to_have_count(0)
        expect(page.locator(f"tr[data-id='{stage.reviewing.ids['c010']}'] a.title")).to_be_focused()
        expect(page.locator(f"tr[data-id='{stage.reviewing.ids['c010']}'] input")).to_be_checked()
        expect(page.locator(f"tr[data-id='{stage.reviewing.ids['c007']}'] input")).not_to_be_checked()
        expect(page.locator("#bulk-reason")).to_have_value("half a reason")
        expect(page.locator("#live")).to_contain_text("waiting")


def test_several_are_rejected_together(stage: Stage) -> None:
    with stage.signed_in() as page:
        page.goto("/review?q=pieces")
        page.locator(f"tr[data-id='{stage.reviewing.ids['c007']}'] input").check()
        page.get_by_role("button", name="Reject selected").click()
        assert "/review?q=pieces" in page.url  # the browser asks for the reason first

        page.get_by_label("Reason", exact=True).fill("not what we mean")
        page.get_by_role("button", name="Reject selected").click()

        expect(page.get_by_role("heading", name="Rejected")).to_be_visible()
        assert stage.reviewing.status("c007") == "rejected"


def test_everything_works_without_script(stage: Stage) -> None:
    reviewing = stage.reviewing
    with stage.signed_in(java_script_enabled=False) as page:
        page.get_by_label("Question contains").fill("best")
        page.get_by_role("button", name="Apply").click()
        page.get_by_role("button", name="Review").first.click()
        expect(page.get_by_text("yours", exact=True)).to_be_visible()
        page.goto(stage.address("c006", "?q=bestsellers"))
        page.locator("#edit > summary").click()
        page.get_by_label("Corrected SQL", exact=True).fill("SELECT name FROM products LIMIT 10")
        page.get_by_role("button", name="Save, verify and next").click()
        expect(page.locator(".banner")).to_contain_text("Edited and verified.")
        assert reviewing.status("c006") == "superseded"

        page.goto("/review/conflicts")
        page.get_by_role("button", name="Keep this answer").first.click()
        expect(page.get_by_role("heading", name="Decided")).to_be_visible()
        assert {reviewing.status(key) for key in ("c078", "c177")} == {"verified", "rejected"}
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in to review")).to_be_visible()
