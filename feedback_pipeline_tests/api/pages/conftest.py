"""A small shop whose corrections wait to be reviewed, and reviewers who are signed in."""

import json
import re
import runpy
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

import feedback_pipeline
from feedback_pipeline.api import create_app
from feedback_pipeline.intake.importing import import_corrections
from feedback_pipeline.review.triage import triage
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, decide, get_feedback, list_feedback, open_store, register_database
from feedback_pipeline_tests.api.conftest import api_settings, token

SAMPLES = Path(feedback_pipeline.__file__).parent.parent / "data" / "samples"
DIFFERS, NO_SUCH_COLUMN, RIVALS = "c002", "c004", ("c078", "c177")
CHOSEN = ("c001", DIFFERS, "c003", NO_SUCH_COLUMN, "c006", "c007", "c010", *RIVALS)
"""Corrections of the sample that wait; RIVALS answer one question differently."""

HOSTILE = {
    "natural_query": "<script>alert('q')</script> \u202eorders\u202c <img src=x onerror=alert(1)> {{7*7}} ${7*7}",
    "generated_sql": "SELECT '</textarea><script>alert(2)</script>' AS \"<b>x</b>\", '{% raw %}' FROM orders",
    "corrected_sql": "SELECT '</code></pre><svg onload=alert(3)>' AS \"<i>\u200by</i>\"\n-- javascript:alert(4)",
    "comment": '"><iframe src=javascript:alert(5)></iframe> <a href=javascript:alert(6)>click</a> {{ config }}\u200b',
}
"""Texts of one correction that try to act on the page that shows them."""


@dataclass
class Reviewing:
    """A browser without script, signed in or not, before an application with corrections that wait."""

    app: FastAPI
    client: TestClient
    ids: dict[str, str]

    @property
    def store(self) -> Store:
        return self.app.state.services.store

    @property
    def settings(self) -> Settings:
        return self.app.state.services.settings

    def sign_in(self, subject: str = "rita", role: str = "reviewer", **claims: Any) -> "Reviewing":
        """Sign in as somebody, instead of whoever was signed in."""
        self.client.cookies.clear()
        answer = self.client.post("/sign-in", data={"token": token(subject, role, **claims)})
        assert answer.status_code == 200, answer.text
        return self

    def get(self, path: str, **options: Any) -> Response:
        return self.client.get(path, **options)

    def item(self, key: str, query: str = "") -> Response:
        return self.get(f"/review/items/{self.ids[key]}{query}")

    def act(self, key: str, action: str, query: str = "", **fields: str) -> Response:
        """Send a form of an item as it stands on its page."""
        data = {"csrf": self.csrf(), "expected": "pending", **fields}
        return self.client.post(f"/review/items/{self.ids[key]}/{action}{query}", data=data)

    def send(self, path: str, **fields: Any) -> Response:
        return self.client.post(path, data={"csrf": self.csrf(), **fields})

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/review/nowhere").text)
        assert found, "nobody is signed in"
        return found[1]

    def status(self, key: str) -> str:
        return get_feedback(self.store, self.ids[key])["status"]

    def history(self, key: str) -> list[dict[str, Any]]:
        return get_feedback(self.store, self.ids[key])["history"]

    def decide(self, key: str, event: str, actor: str = "olga", reason: str | None = "because") -> None:
        """Let somebody else decide."""
        [decision] = decide(self.store, [self.ids[key]], event, actor=actor, reason=reason)
        assert decision.outcome == "done", decision


def text_of(answer: Response) -> str:
    """Return what a page shows, without its elements; blanks in a row are one."""
    body = re.sub(r"(?s)<(style|script|head).*?</\1>", " ", answer.text)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture(scope="session")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the sample."""
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    runpy.run_path(str(SAMPLES / "build_shop.py"))["build"](path)
    return path


def fill(settings: Settings, shop: Path, folder: Path) -> None:
    """Have the corrections of CHOSEN, and a hostile one, wait for a review."""
    chosen = [json.loads(line) for line in (SAMPLES / "corrections.jsonl").read_text().splitlines()]
    rows = [row for row in chosen if row["id"] in CHOSEN]
    hostile = {**rows[0], **HOSTILE, "id": "hostile", "rating": 1}
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, [*rows, hostile])))
    store = open_store(settings)
    register_database(store, "shop", "sqlite", url=str(shop))
    import_corrections(store, [folder / "rows.jsonl"], settings=settings)
    triage(store, settings)
    store.close()


@pytest.fixture(scope="session")
def filled_root(tmp_path_factory: pytest.TempPathFactory, shop_file: Path) -> Path:
    """A storage root in which corrections wait."""
    root = tmp_path_factory.mktemp("reviewing") / "data"
    fill(api_settings(root), shop_file, root.parent)
    return root


def reviewing_at(root: Path, **changes: Any) -> Iterator[Reviewing]:
    """Yield reviewers of what waits below ``root``."""
    changes = {"api_sign_in_rate_limit": "1000/minute", **changes}
    app = create_app(api_settings(root, **changes))
    with TestClient(app, raise_server_exceptions=False) as client:
        store = app.state.services.store
        yield Reviewing(app, client, {row["client_key"]: row["feedback_id"] for row in list_feedback(store)})


@pytest.fixture
def nobody(filled_root: Path, tmp_path: Path) -> Iterator[Reviewing]:
    """Somebody who has not signed in."""
    yield from reviewing_at(Path(shutil.copytree(filled_root, tmp_path / "data")))


@pytest.fixture(scope="module")
def reader(filled_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewing]:
    """A reviewer who is signed in, shared by the tests of a module that change nothing."""
    for opened in reviewing_at(Path(shutil.copytree(filled_root, tmp_path_factory.mktemp("reader") / "data"))):
        yield opened.sign_in()


@pytest.fixture
def rita(nobody: Reviewing) -> Reviewing:
    """A reviewer who is signed in."""
    return nobody.sign_in()


MakeReviewing = Callable[..., Reviewing]


@pytest.fixture
def reviewing(filled_root: Path, tmp_path: Path) -> Iterator[MakeReviewing]:
    """Make an application with other settings."""
    opened: list[Iterator[Reviewing]] = []

    def make(**changes: Any) -> Reviewing:
        root = Path(shutil.copytree(filled_root, tmp_path / f"data{len(opened)}"))
        opened.append(reviewing_at(root, **changes))
        return next(opened[-1])

    yield make
    for application in opened:
        next(application, None)
