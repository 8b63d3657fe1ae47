"""The client for programs built on asyncio; what its methods do is written down in ``FeedbackClient``."""

import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, TypeVar

import httpx
from tenacity import AsyncRetrying

from feedback_pipeline.client import calls
from feedback_pipeline.client.calls import Call, Chunk
from feedback_pipeline.client.errors import FeedbackError, no_answer_is_unavailable
from feedback_pipeline.client.results import (
    Erasure,
    Example,
    FeedbackEntry,
    FeedbackStatus,
    OptOut,
    SearchResult,
    nothing_found,
)
from feedback_pipeline.client.retrying import policy

T = TypeVar("T")


class AsyncFeedbackClient:
    """``FeedbackClient`` with ``await``. ``token`` may be an async function too."""

    def __init__(
        self,
        base_url: str,
        token: str | Callable[[], str | Awaitable[str]],
        *,
        timeout: float = 10,
        retries: int = 4,
        on_behalf_of: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ):
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, transport=transport)
        self._token, self._retries, self._on_behalf_of = token, retries, on_behalf_of

    def for_user(self, user_id: str) -> "AsyncFeedbackClient":
        """Return a client that speaks for an end user over the same connections; closing either closes both."""
        other = copy.copy(self)
        other._on_behalf_of = user_id
        return other

    async def record_interaction(
        self,
        natural_query: str,
        *,
        database_id: str | None = None,
        kind: Literal["text2sql", "rag"] | None = None,
        output: str | None = None,
        model: str | None = None,
        trace_id: str | None = None,
        chunks: Iterable[Chunk | Mapping[str, Any]] = (),
        examples: Iterable[Example | Mapping[str, Any]] = (),
        retrieval_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> int:
        """Record an answer a model gave; return its id."""
        call = calls.record_interaction(
            natural_query,
            database_id=database_id,
            kind=kind,
            output=output,
            model=model,
            trace_id=trace_id,
            chunks=chunks,
            examples=examples,
            retrieval_id=retrieval_id,
            idempotency_key=idempotency_key,
        )
        return await self._send(call)

    async def rate(self, interaction_id: int, rating: Literal[1, -1], reason: str | None = None) -> None:
        """Rate an answer: 1 is thumbs up, -1 thumbs down."""
        await self._send(calls.rate(interaction_id, rating, reason))

    async def correct(
        self,
        database_id: str,
        natural_query: str,
        *,
        generated_sql: str | None = None,
        corrected_sql: str | None = None,
        rating: int | None = None,
        comment: str | None = None,
        interaction_id: int | None = None,
        idempotency_key: str | None = None,
    ) -> FeedbackEntry:
        """Say what is right or wrong about the SQL for a question; ``rating`` is 1 to 5."""
        call = calls.correct(
            database_id,
            natural_query,
            generated_sql=generated_sql,
            corrected_sql=corrected_sql,
            rating=rating,
            comment=comment,
            interaction_id=interaction_id,
            idempotency_key=idempotency_key,
        )
        return await self._send(call)

    async def status(self, feedback_id: str) -> FeedbackStatus:
        """Return what became of feedback."""
        return await self._send(calls.status(feedback_id))

    async def mine(self, status: str | None = None) -> AsyncIterator[FeedbackEntry]:
        """Go over the user's own feedback, newest first."""
        cursor: str | None = None
        while True:
            page = await self._send(calls.mine(status, cursor))
            for entry in page.entries:
                yield entry
            cursor = page.next_cursor
            if cursor is None:
                return

    async def search(
        self,
        natural_query: str,
        database_id: str,
        *,
        k: int = 3,
        min_score: float | None = None,
        interaction_id: int | None = None,
        max_tokens: int | None = None,
    ) -> SearchResult:
        """Return up to ``k`` verified answers to similar questions."""
        call = calls.search(
            natural_query,
            database_id,
            k=k,
            min_score=min_score,
            interaction_id=interaction_id,
            max_tokens=max_tokens,
        )
        return await self._send(call)

    async def retrieve(
        self, natural_query: str, *, database_id: str, k: int = 3, min_score: float | None = None
    ) -> SearchResult:
        """Search as an agent does: an API that does not answer gives no examples and a warning."""
        try:
            return await self.search(natural_query, database_id, k=k, min_score=min_score)
        except FeedbackError as error:
            return nothing_found(error)

    async def opt_out(self) -> OptOut:
        """Have nothing that the user gave used any more."""
        return await self._send(calls.opt_out())

    async def forget_me(self, *, keep_consent: bool = False) -> Erasure:
        """Erase everything the user gave."""
        return await self._send(calls.forget_me(keep_consent=keep_consent))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncFeedbackClient":
        """Return the client; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def _send(self, call: Call[T]) -> T:
        async def attempt() -> T:
            return await self._send_once(call)

        return await AsyncRetrying(**policy(self._retries))(attempt)

    async def _send_once(self, call: Call[T]) -> T:
        token = self._token if isinstance(self._token, str) else self._token()
        if not isinstance(token, str):
            token = await token
        with no_answer_is_unavailable():
            response = await self._http.request(**call.request(token, self._on_behalf_of))
        return call.answer(response)
