"""When a request is sent again: only where the server could not answer, and no sooner than it asked for."""

import random
from typing import Any

from tenacity import RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from feedback_pipeline.client.errors import FeedbackUnavailableError

MAX_WAIT_S = 30.0
"""No single wait is longer, whatever the server asks for."""

_BACKOFF = wait_random_exponential(multiplier=0.25, max=8)


def policy(retries: int) -> dict[str, Any]:
    """Return the arguments of tenacity's ``Retrying`` and ``AsyncRetrying`` for up to ``retries`` more attempts.

    Every request is safe to repeat: reading changes nothing, and what is written bears an Idempotency-Key.
    """
    return {
        "stop": stop_after_attempt(retries + 1),
        "wait": _wait,
        "retry": retry_if_exception_type(FeedbackUnavailableError),
        "reraise": True,
    }


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, FeedbackUnavailableError) else None
    if asked is None:
        return _BACKOFF(state)
    # Clients that were sent away together should not come back together.
    return min(asked, MAX_WAIT_S) + random.uniform(0, 0.25)  # noqa: S311 - nothing secret
