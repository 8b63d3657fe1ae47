"""An OpenAI-compatible endpoint on 127.0.0.1 that answers as a function of the prompt tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the endpoint says: text of the model, or another HTTP status."""

    text: str | None = None
    status: int = 200
    finish_reason: str = "stop"
    delay_s: float = 0.0
    raw: bytes | None = None


@dataclass
class Endpoint:
    """What was asked so far; ``busiest`` is the largest number of requests at the same time."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    running: int = 0
    busiest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def prompts(self) -> list[str]:
        return [request["messages"][-1]["content"] for request in self.requests]


@contextmanager
def endpoint(answer: Callable[[str], Answer]) -> Iterator[Endpoint]:
    """Serve until the block ends."""
    gone = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with served.lock:
                served.requests.append({**body, "path": self.path})
                served.keys.add(self.headers["Authorization"])
                served.running += 1
                served.busiest = max(served.busiest, served.running)
            said = answer(body["messages"][-1]["content"])
            gone.wait(said.delay_s)
            with served.lock:
                served.running -= 1
            self._send(said)

        def _send(self, said: Answer) -> None:
            message = {"role": "assistant", "content": said.text}
            choice = {"index": 0, "message": message, "finish_reason": said.finish_reason}
            document = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            content = said.raw if said.raw is not None else json.dumps(document).encode()
            try:
                self.send_response(said.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Endpoint(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        gone.set()
        server.shutdown()
        server.server_close()
        thread.join()
