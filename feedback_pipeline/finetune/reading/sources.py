"""Where releases are read from: a local folder, an object store (any fsspec URL), or a plain HTTP server.

Nothing is listed, because a plain HTTP server cannot: a file is asked for by its path. All errors are SourceErrors.
"""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
from fsspec.implementations.local import LocalFileSystem
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from feedback_pipeline.tables.files import filesystem

ATTEMPTS = 6
MAX_WAIT_S = 8.0

_TIMEOUT = httpx.Timeout(60, connect=15)
_RANGE_BYTES = 8 * 1024 * 1024
_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_OF_NETWORKS = frozenset({"aiohttp", "botocore", "aiobotocore"})
"""Libraries below object stores whose errors are no OSErrors."""


class SourceError(RuntimeError):
    """A file cannot be read where a release is; the text names its URL and the way out."""


class MissingFileError(SourceError):
    """There is no such file."""


class TransientSourceError(SourceError):
    """The source did not answer, or broke off: it may do better when asked again."""


class Source(Protocol):
    """A folder or URL below which files are read by path.

    Attributes:
        is_local: asking again gives the same answer.
    """

    is_local: bool

    def url(self, path: str) -> str:
        """Return where a file is, without secrets: for people to read."""
        ...

    def stream(self, path: str, start: int) -> AbstractContextManager[tuple[int, Iterator[bytes]]]:
        """Yield where the bytes begin (``start``, or 0 where the source cannot continue), and the bytes in pieces.

        Raises:
            MissingFileError: there is no such file.
            TransientSourceError: it may be there when asked again.
            SourceError: it will not be had by asking again.
        """
        ...


class HttpSource:
    """Files of a plain HTTP server, continued by byte ranges where it knows them."""

    is_local = False

    def __init__(self, root: str, client: httpx.Client):
        self._root, self._client = root.rstrip("/"), client

    def url(self, path: str) -> str:
        """Return the URL of a file, without user name and password."""
        parts = urlsplit(self._address(path))
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @contextmanager
    def stream(self, path: str, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Yield where the bytes begin, and the bytes in pieces."""
        # Ranges are of the file as it is stored, so nobody may compress it on the way.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        request = self._client.build_request("GET", self._address(path), headers=headers)
        response = self._send(request, path)
        try:
            self._refuse(response, path)
            yield _first_byte(response, start), self._pieces(response, path)
        finally:
            response.close()

    def _address(self, path: str) -> str:
        return f"{self._root}/{quote(path)}"

    def _send(self, request: httpx.Request, path: str) -> httpx.Response:
        try:
            return self._client.send(request, stream=True)
        except httpx.RequestError as error:
            raise self._failed(error, path) from error

    def _pieces(self, response: httpx.Response, path: str) -> Iterator[bytes]:
        try:
            # As they come: what is held back to fill a larger piece would be lost when the connection breaks.
            yield from response.iter_bytes()
        except httpx.RequestError as error:
            raise self._failed(error, path) from error

    def _failed(self, error: httpx.RequestError, path: str) -> SourceError:
        retried = isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)
        text = f"cannot read {self.url(path)}: {error or type(error).__name__}"
        return TransientSourceError(text) if retried else SourceError(f"{text}; check the address")

    def _refuse(self, response: httpx.Response, path: str) -> None:
        status = response.status_code
        if response.is_success:
            return
        text = f"{self.url(path)} cannot be read: the server answered {status} {response.reason_phrase}".rstrip()
        if status in _BUSY or response.is_server_error:
            raise TransientSourceError(text)
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            raise MissingFileError(f"{self.url(path)} is not there: the server answered {status}")
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise SourceError(f"{self.url(path)} is shorter than its manifest says: it was cut off after publishing")
        way_out = "; ask for access, or give user and password in the address (https://USER:PASSWORD@…)"
        raise SourceError(text + (way_out if status in (401, 403) else "; check the address"))


class StorageSource:
    """Files of a local folder or an object store, read through fsspec."""

    def __init__(self, root: str):
        self._root = root.rstrip("/") or "/"
        try:
            self._fs, self._inner = filesystem(self._root)
        except (ImportError, ValueError) as error:
            raise SourceError(f"cannot read {root}: {error}") from error
        self.is_local = isinstance(self._fs, LocalFileSystem)

    def url(self, path: str) -> str:
        """Return the path or URL of a file."""
        return f"{self._root}/{path}"

    @contextmanager
    def stream(self, path: str, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Yield where the bytes begin, and the bytes in pieces."""
        with self._reading(path):
            # Read from front to back: what an object store's cache holds would never be asked for again.
            file = self._fs.open(f"{self._inner}/{path}", "rb", block_size=_RANGE_BYTES, cache_type="none")
            file.seek(start)
        with file:
            yield start, iter(partial(self._piece, file, path), b"")

    def _piece(self, file: Any, path: str) -> bytes:
        with self._reading(path):
            return file.read(_RANGE_BYTES)

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingFileError(f"{self.url(path)} is not there") from error
        except PermissionError as error:
            raise SourceError(f"cannot read {self.url(path)}: {error}; ask for access, or set credentials") from error
        except Exception as error:
            if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in _OF_NETWORKS:
                raise
            kind = SourceError if self.is_local else TransientSourceError
            raise kind(f"cannot read {self.url(path)}: {error}") from error


@contextmanager
def open_source(root: str) -> Iterator[Source]:
    """Yield what reads the files below a folder or URL.

    Raises:
        SourceError: nothing is installed that reads such URLs, or it is no URL.
    """
    if not is_http(root):
        yield StorageSource(root)
        return
    try:
        httpx.URL(root)
    except httpx.InvalidURL as error:
        raise SourceError(f"{root} is no address: {error}") from error
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
        yield HttpSource(root, client)


def is_http(root: str) -> bool:
    """Tell whether ``root`` is of a plain HTTP server."""
    return root.lower().startswith(("http://", "https://"))


def read(source: Source, path: str) -> bytes:
    """Return a small file; see ``copy``."""
    content = io.BytesIO()
    copy(source, path, content)
    return content.getvalue()


def copy(source: Source, path: str, target: BinaryIO) -> None:
    """Write a file as it is, unverified, into ``target``, asking again while the source does not answer.

    Raises:
        MissingFileError: there is no such file.
        SourceError: it cannot be read.
    """

    def attempt() -> None:
        target.seek(0)
        target.truncate()
        with source.stream(path, 0) as (_, pieces):
            target.writelines(pieces)

    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.25, max=MAX_WAIT_S),
        retry=retry_if_exception_type(TransientSourceError),
    )
    try:
        retrying(attempt)
    except RetryError as error:
        raise given_up(error) from error


def given_up(error: RetryError) -> SourceError:
    """Return what is to be said when asking again has not helped."""
    last = error.last_attempt.exception()
    return SourceError(f"{last} ({ATTEMPTS} attempts in a row); check the connection and run the same command again")


def _first_byte(response: httpx.Response, start: int) -> int:
    given = response.headers.get("Content-Range", "")
    continued = response.status_code == HTTPStatus.PARTIAL_CONTENT and given.startswith(f"bytes {start}-")
    return start if continued else 0
