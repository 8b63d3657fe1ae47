"""Telling people outside Dagster that a run failed."""

from collections.abc import Mapping

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential


@retry(
    retry=retry_if_exception_type(httpx.HTTPError),
    stop=stop_after_attempt(4),
    wait=wait_exponential(multiplier=0.5, max=10),
    reraise=True,
)
def post_failure(url: str, document: Mapping[str, str | None]) -> None:
    """POST ``document`` as JSON, up to four times with growing pauses.

    Raises:
        httpx.HTTPError: the webhook did not take it.
    """
    httpx.post(url, json=dict(document), timeout=10).raise_for_status()
