"""Every request of the API as a value: what is sent, and how its answer is read. Nothing here sends anything."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from feedback_pipeline.client.errors import FeedbackError, error_of
from feedback_pipeline.client.results import Erasure, Example, FeedbackEntry, FeedbackStatus, OptOut, Page, SearchResult

T = TypeVar("T")

_CHUNK_FIELDS = ("chunk_id", "text", "score", "rank", "in_scope")
_EXAMPLE_FIELDS = ("example_id", "rank", "score", "index_version", "withheld")


@dataclass(frozen=True)
class Chunk:
    """A passage that was retrieved for an answer; ``rank`` defaults to its place in the list, from 1."""

    chunk_id: str
    text: str | None = None
    score: float | None = None
    rank: int | None = None
    in_scope: bool | None = None


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request. ``key`` is sent as Idempotency-Key with every attempt; ``read`` makes the result of its JSON."""

    method: str
    path: str
    read: Callable[[Any], T]
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] | None = None
    key: str | None = None

    def request(self, token: str, on_behalf_of: str | None) -> dict[str, Any]:
        """Return the arguments of ``httpx.Client.request``."""
        headers: dict[str, str | bytes] = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if on_behalf_of is not None:
            headers["On-Behalf-Of"] = on_behalf_of.encode()
        if self.key is not None:
            headers["Idempotency-Key"] = self.key
        return {
            "method": self.method,
            "url": self.path,
            "json": self.body,
            "params": self.params,
            "headers": list(headers.items()),
        }

    def answer(self, response: httpx.Response) -> T:
        """Return the result. Raises FeedbackError where the request was not successful."""
        if not response.is_success:
            raise error_of(response)
        try:
            return self.read(response.json() if response.content else None)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            detail = f"The answer to {self.method} {self.path} cannot be read: is this the address of the API?"
            raise FeedbackError(detail, status=response.status_code) from error


def record_interaction(
    natural_query: str,
    *,
    chunks: Iterable[Chunk | Mapping[str, Any]],
    examples: Iterable[Example | Mapping[str, Any]],
    idempotency_key: str | None,
    **fields: Any,
) -> Call[int]:
    """Record an answer of a model."""
    body = {
        "natural_query": natural_query,
        **fields,
        "chunks": [_picked(chunk, _CHUNK_FIELDS) for chunk in chunks],
        "examples": [_picked(example, _EXAMPLE_FIELDS) for example in examples],
    }
    return _write("POST", "interactions", lambda found: int(found["interaction_id"]), body, idempotency_key)


def rate(interaction_id: int, rating: int, reason: str | None) -> Call[None]:
    """Rate an answer."""
    body = {"interaction_id": interaction_id, "rating": rating, "reason": reason}
    return _write("POST", "feedback", lambda _: None, body)


def correct(database_id: str, natural_query: str, *, idempotency_key: str | None, **fields: Any) -> Call[FeedbackEntry]:
    """Correct an answer."""
    body = {"database_id": database_id, "natural_query": natural_query, **fields}
    return _write("POST", "feedback", FeedbackEntry.of, body, idempotency_key)


def status(feedback_id: str) -> Call[FeedbackStatus]:
    """Ask what became of feedback."""
    return Call("GET", f"feedback/{quote(feedback_id, safe='')}", FeedbackStatus.of)


def mine(wanted: str | None, cursor: str | None) -> Call[Page]:
    """Ask for one page of the caller's feedback."""
    params = {"mine": "true", "status": wanted, "cursor": cursor}
    return Call("GET", "feedback", Page.of, params=_given(params))


def search(natural_query: str, database_id: str, **options: Any) -> Call[SearchResult]:
    """Ask for examples."""
    body = {"natural_query": natural_query, "database_id": database_id, **options}
    return Call("POST", "examples/search", SearchResult.of, body=_given(body))


def opt_out() -> Call[OptOut]:
    """Have nothing of the user used any more."""
    return _write("POST", "feedback/opt-out", OptOut.of)


def forget_me(*, keep_consent: bool) -> Call[Erasure]:
    """Erase everything of the user."""
    params = {"keep_consent": "true"} if keep_consent else None
    return Call("DELETE", "feedback/mine", Erasure.of, params=params, key=_new_key())


def _write(
    method: str,
    path: str,
    read: Callable[[Any], T],
    body: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> Call[T]:
    return Call(method, path, read, body=None if body is None else _given(body), key=key or _new_key())


def _new_key() -> str:
    return str(uuid.uuid4())


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the caller did not say, so that the server's defaults apply."""
    return {name: value for name, value in fields.items() if value is not None}


def _picked(item: Any, names: tuple[str, ...]) -> dict[str, Any]:
    fields = item if isinstance(item, Mapping) else asdict(item)
    return _given({name: fields.get(name) for name in names})
