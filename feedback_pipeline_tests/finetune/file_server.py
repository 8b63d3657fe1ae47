"""A plain HTTP server for the files of a folder: it cannot list them, and has the faults it is told to have."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class FileServer:
    """What the server does, and what it was asked for.

    Attributes:
        folder: whose files it serves.
        ranges: whether it knows byte ranges.
        break_after: hang up after so many bytes of a Parquet file, None never.
        breaks: how often it hangs up yet, at most.
        failures: status codes to answer next with, instead of Parquet files.
        statuses: status code by path, always.
        credentials: the Authorization header it wants, if any.
        slow: called before each piece of 64 KiB.
        bytes_sent: of Parquet files.
        requests: how often each path was asked for.
        ranges_asked: the Range headers of Parquet files.
    """

    folder: Path
    ranges: bool = True
    break_after: int | None = None
    breaks: int = 1_000_000
    failures: list[int] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    credentials: str | None = None
    slow: Callable[[], object] = lambda: None
    url: str = ""
    bytes_sent: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    ranges_asked: list[str] = field(default_factory=list)


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    """Serve a folder until the end of the block."""
    about = FileServer(folder)
    server = _Server(("127.0.0.1", 0), partial(_Handler, about))
    about.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield about
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients are killed in tests
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()

    def __init__(self, about: FileServer, *arguments: object):
        self.about = about
        super().__init__(*arguments)  # pyright: ignore[reportArgumentType]

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        with self.lock:
            self.about.requests[path] += 1
            status = self._status(path)
        if status != 200:
            self._answer(status, b"no", {})
            return
        content = (self.about.folder / path).read_bytes()
        start = self._start(path)
        if start and start >= len(content):
            self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        elif start:
            about = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            self._answer(206, content[start:], about, path)
        else:
            self._answer(200, content, {}, path)

    def _status(self, path: str) -> int:
        if self.about.credentials and self.headers.get("Authorization") != self.about.credentials:
            return 401
        if path in self.about.statuses:
            return self.about.statuses[path]
        if path.endswith(".parquet") and self.about.failures:
            return self.about.failures.pop()
        return 200 if (self.about.folder / path).is_file() else 404

    def _start(self, path: str) -> int:
        asked = self.headers.get("Range")
        if asked and path.endswith(".parquet"):
            self.about.ranges_asked.append(asked)
        return int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.about.ranges else 0

    def _answer(self, status: int, content: bytes, headers: dict[str, str], path: str = "") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        is_data = path.endswith(".parquet")
        limit = self._limit(len(content)) if is_data else len(content)
        for offset in range(0, limit, 65_536):
            if is_data:
                self.about.slow()
            piece = content[offset : min(offset + 65_536, limit)]
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            with self.lock:
                self.about.bytes_sent += len(piece) if is_data else 0
        self.close_connection = limit < len(content)

    def _limit(self, size: int) -> int:
        with self.lock:
            if self.about.break_after is None or self.about.break_after >= size or not self.about.breaks:
                return size
            self.about.breaks -= 1
            return self.about.break_after

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
