"""Pages of other sites that include the widget, and a browser to look at them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.types import Receive, Scope, Send

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

ANSWER = (
    'data-interaction-id="{id}" data-database-id="shop" data-natural-query="How many?" data-generated-sql="SELECT 1"'
)
"""Attributes of an element that holds an answer."""

HOSTILE = """
* { display: none !important; text-transform: uppercase; }
html, body, main, article { display: block !important; }
button, textarea, p, label { position: absolute; left: -9999px; color: red; font-size: 1px; }
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser that is installed here; without one the test is skipped."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium is installed here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(SWITCHES))
        yield browser
        browser.close()


@dataclass
class Site:
    """A web site of somebody else: serves ``pages`` by path, each under the policy of ``policies`` if it has one."""

    pages: dict[str, str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        kind = {"css": "text/css", "json": "application/json"}.get(path.rpartition(".")[2], "text/html")
        headers = [(b"content-type", f"{kind}; charset=utf-8".encode())]
        if policy := self.policies.get(path):
            headers.append((b"content-security-policy", policy.encode()))
        status = 200 if path in self.pages else 404
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": self.pages.get(path, "").encode()})


def complaints_of(page: Page) -> list[str]:
    """Return a list that fills with what goes wrong on ``page``: errors that reach it, and warnings of the console."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in {"error", "warning"} else None)
    return found
