"""The page that describes the interface, in a real browser: it works, and needs no other site."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient
from playwright.sync_api import sync_playwright

from feedback_pipeline.api import create_app
from feedback_pipeline.api.server import listen
from feedback_pipeline_tests.api.conftest import api_settings

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where an application is served."""
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(api_settings(tmp_path)), log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_all_operations_are_shown_and_nothing_is_fetched_or_blocked(address: str) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium is installed here")
    asked, complaints = [], []

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=FLAGS) as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/docs")
        page.wait_for_selector(".opblock")
        shown = page.locator(".opblock-summary").all_inner_texts()
        page.locator(".opblock-summary").first.click()
        page.wait_for_selector(".opblock-body")

    described = create_app(api_settings(Path("unused"))).openapi()["paths"]
    assert len(shown) == sum(len(operations) for operations in described.values())
    assert all(url.startswith(address) for url in asked)
    assert complaints == []


def test_the_page_may_run_its_own_files_and_one_script(tmp_path: Path) -> None:
    with TestClient(create_app(api_settings(tmp_path))) as client:
        policy = client.get("/docs").headers["content-security-policy"]

    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert scripts.startswith("script-src 'self' 'sha256-")
    assert "unsafe" not in scripts


def test_there_is_no_other_page_of_that_kind(tmp_path: Path) -> None:
    with TestClient(create_app(api_settings(tmp_path))) as client:
        assert client.get("/redoc").status_code == 404
