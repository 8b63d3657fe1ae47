"""Talks to the HTTP API: for agents that ask for examples, and for products that pass feedback on.

Importing this needs httpx and tenacity, and nothing else of the package.

Example:
    >>> with FeedbackClient("https://feedback.example.com", token=my_token) as feedback:
    ...     found = feedback.search("orders from Berlin", "shop")
    ...     sql = my_model(found.prompt, "orders from Berlin")
    ...     interaction_id = feedback.record_interaction(
    ...         "orders from Berlin", database_id="shop", output=sql, retrieval_id=found.retrieval_id
    ...     )

"""

from feedback_pipeline.client.asynchronous import AsyncFeedbackClient
from feedback_pipeline.client.blocking import FeedbackClient
from feedback_pipeline.client.calls import Chunk
from feedback_pipeline.client.errors import (
    FeedbackError,
    FeedbackForbiddenError,
    FeedbackInvalidError,
    FeedbackNotFoundError,
    FeedbackUnauthorizedError,
    FeedbackUnavailableError,
)
from feedback_pipeline.client.results import (
    Checks,
    Erasure,
    Example,
    FeedbackEntry,
    FeedbackStatus,
    HistoryEvent,
    Learned,
    OptOut,
    SearchResult,
)

__all__ = [
    "AsyncFeedbackClient",
    "Checks",
    "Chunk",
    "Erasure",
    "Example",
    "FeedbackClient",
    "FeedbackEntry",
    "FeedbackError",
    "FeedbackForbiddenError",
    "FeedbackInvalidError",
    "FeedbackNotFoundError",
    "FeedbackStatus",
    "FeedbackUnauthorizedError",
    "FeedbackUnavailableError",
    "HistoryEvent",
    "Learned",
    "OptOut",
    "SearchResult",
]
