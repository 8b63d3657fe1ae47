"""Real servers on 127.0.0.1, and what can go wrong between them and a client."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Fault = Literal["busy", "throttled", "cut", "slow", "html"]
BUSY = json.dumps({"status": 503, "detail": "The store is away.", "code": "store_unavailable", "request_id": "r1"})


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve ``app`` on a free port; its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            threading.Event().wait(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass
class Unreliable:
    """Stands before an application: the next requests meet ``faults``, in their order, later ones the application.

    ``seen`` are the requests that came, as (method, path, Idempotency-Key).
    """

    app: ASGIApp
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    @property
    def keys(self) -> list[str | None]:
        return [key for _, _, key in self.seen]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["path"], headers.get("idempotency-key")))
        match self.faults.pop(0) if self.faults else None:
            case "busy":
                await _answer(send, 503, BUSY, [(b"retry-after", b"0")])
            case "throttled":
                await _answer(send, 429, "{}", [(b"retry-after", b"1")])
            case "html":
                await _answer(send, 200, "<!doctype html><p>Welcome", [])
            case "cut":
                await self.app(scope, receive, _nowhere)
                # More is promised than comes, so the server can only cut the connection.
                await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"999")]})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})
            case "slow":
                await self.app(scope, receive, _nowhere)
                await asyncio.sleep(1.3)  # longer than the client of the test waits
            case None:
                await self.app(scope, receive, send)


async def _nowhere(_message: Message) -> None:
    pass


async def _answer(send: Send, status: int, body: str, headers: list[tuple[bytes, bytes]]) -> None:
    for_pages = [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"Retry-After")]
    await send({"type": "http.response.start", "status": status, "headers": headers + for_pages})
    await send({"type": "http.response.body", "body": body.encode()})
