"""Both clients, driven alike, before the real application on a real server."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from feedback_pipeline.api import create_app
from feedback_pipeline.client import AsyncFeedbackClient, FeedbackClient
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, open_store
from feedback_pipeline_tests.api.conftest import api_settings, token
from feedback_pipeline_tests.client.servers import Unreliable, serving

Connect = Callable[..., FeedbackClient]


class Awaited:
    """An AsyncFeedbackClient with the methods of a FeedbackClient: each is awaited in the one loop of the test."""

    def __init__(self, client: AsyncFeedbackClient, loop: asyncio.AbstractEventLoop):
        self._client, self._loop = client, loop

    def for_user(self, user_id: str) -> "Awaited":
        return Awaited(self._client.for_user(user_id), self._loop)

    def close(self) -> None:
        self._await(self._client.aclose())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*given: Any, **named: Any) -> Any:
            made = method(*given, **named)
            return iter(self._await(_listed(made))) if inspect.isasyncgen(made) else self._await(made)

        return call

    def _await(self, awaitable: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(30)


async def _listed(items: Any) -> list[Any]:
    return [item async for item in items]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return api_settings(tmp_path / "data")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture
def unreliable(settings: Settings) -> Unreliable:
    return Unreliable(create_app(settings))


@pytest.fixture
def url(unreliable: Unreliable) -> Iterator[str]:
    with serving(unreliable) as address:
        yield address


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


@pytest.fixture(params=["blocking", "async"])
def connect(request: pytest.FixtureRequest, loop: asyncio.AbstractEventLoop) -> Iterator[Connect]:
    """Open a client of either kind; ``connect(url, token, …)``."""
    with ExitStack() as stack:

        def open_client(url: str, signed: Any = None, **options: Any) -> Any:
            given = (url, token() if signed is None else signed)
            if request.param == "blocking":
                return stack.enter_context(FeedbackClient(*given, **options))
            client = Awaited(AsyncFeedbackClient(*given, **options), loop)
            stack.callback(client.close)
            return client

        yield open_client
