"""The client for programs that wait for an answer."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, TypeVar

import httpx
from tenacity import Retrying

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


class FeedbackClient:
    """The API in Python. Thread-safe; one for a whole process keeps its connections open.

    Every method raises FeedbackError: FeedbackUnavailableError once all retries are used up, FeedbackUnauthorizedError,
    FeedbackForbiddenError, FeedbackNotFoundError and FeedbackInvalidError at once.

    Args:
        base_url: where the API is, such as ``https://feedback.example.com``.
        token: a JWT, or what returns one: it is called for every request, so let it keep the token while it is valid.
        timeout: seconds to wait for the connection, and for each part of the answer.
        retries: how often a request that the server could not answer is sent again.
        on_behalf_of: the raw id of the end user a backend speaks for; its token needs ``acts_for_users``.
        transport: what carries requests instead of the network, such as ``httpx.MockTransport``.

    """

    def __init__(
        self,
        base_url: str,
        token: str | Callable[[], str],
        *,
        timeout: float = 10,
        retries: int = 4,
        on_behalf_of: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ):
        self._http = httpx.Client(base_url=base_url, timeout=timeout, transport=transport)
        self._token, self._retries, self._on_behalf_of = token, retries, on_behalf_of

    def for_user(self, user_id: str) -> "FeedbackClient":
        """Return a client that speaks for an end user over the same connections; closing either closes both."""
        other = copy.copy(self)
        other._on_behalf_of = user_id
        return other

    def record_interaction(
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
        """Record an answer a model gave; return its id, which ratings and corrections name.

        Args:
            natural_query: the question.
            database_id: the database it is about.
            kind: default: ``rag`` where chunks are given and no database, else ``text2sql``.
            output: the SQL or the text that was answered.
            model: what answered.
            trace_id: yours, to find the answer again.
            chunks: passages that were retrieved for it, best first.
            examples: few-shot examples the model was shown: those of a search, or dicts with ``example_id``.
            retrieval_id: of the search that gave the examples.
            idempotency_key: yours, where the same answer may be recorded again after a crash; default: a new one.

        Returns:
            The id; 0 where the user has opted out and nothing was stored.

        """
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
        return self._send(call)

    def rate(self, interaction_id: int, rating: Literal[1, -1], reason: str | None = None) -> None:
        """Rate an answer: 1 is thumbs up, -1 thumbs down. A later rating replaces an earlier one."""
        self._send(calls.rate(interaction_id, rating, reason))

    def correct(
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
        return self._send(call)

    def status(self, feedback_id: str) -> FeedbackStatus:
        """Return what became of feedback: its history, and where it is in use."""
        return self._send(calls.status(feedback_id))

    def mine(self, status: str | None = None) -> Iterator[FeedbackEntry]:
        """Go over the user's own feedback, newest first; pages are asked for as they are needed."""
        cursor: str | None = None
        while True:
            page = self._send(calls.mine(status, cursor))
            yield from page.entries
            cursor = page.next_cursor
            if cursor is None:
                return

    def search(
        self,
        natural_query: str,
        database_id: str,
        *,
        k: int = 3,
        min_score: float | None = None,
        interaction_id: int | None = None,
        max_tokens: int | None = None,
    ) -> SearchResult:
        """Return up to ``k`` verified answers to similar questions, as data and as text for a prompt.

        Less alike ones than ``min_score`` are left out; the default is right for most, -1 leaves nothing out.
        ``max_tokens`` is how long the text may get, by an estimate that is rather too high.
        """
        call = calls.search(
            natural_query,
            database_id,
            k=k,
            min_score=min_score,
            interaction_id=interaction_id,
            max_tokens=max_tokens,
        )
        return self._send(call)

    def retrieve(
        self, natural_query: str, *, database_id: str, k: int = 3, min_score: float | None = None
    ) -> SearchResult:
        """Search as an agent does, whom nothing may stop: an API that does not answer gives no examples and a warning.

        ``timeout`` and ``retries`` decide how long that takes. The adapters in ``feedback_pipeline.integrations`` ask
        this way.
        """
        try:
            return self.search(natural_query, database_id, k=k, min_score=min_score)
        except FeedbackError as error:
            return nothing_found(error)

    def opt_out(self) -> OptOut:
        """Have nothing that the user gave used any more, and nothing new accepted from them."""
        return self._send(calls.opt_out())

    def forget_me(self, *, keep_consent: bool = False) -> Erasure:
        """Erase everything the user gave; with ``keep_consent`` what they give from now on is accepted."""
        return self._send(calls.forget_me(keep_consent=keep_consent))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> "FeedbackClient":
        """Return the client; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def _send(self, call: Call[T]) -> T:
        return Retrying(**policy(self._retries))(lambda: self._send_once(call))

    def _send_once(self, call: Call[T]) -> T:
        token = self._token if isinstance(self._token, str) else self._token()
        with no_answer_is_unavailable():
            response = self._http.request(**call.request(token, self._on_behalf_of))
        return call.answer(response)
