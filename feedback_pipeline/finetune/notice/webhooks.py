"""Telling receivers about a dataset version: what is said, how it is signed, and one patient attempt to post it.

Body, headers and signature follow Standard Webhooks (https://www.standardwebhooks.com), so receivers can check them
with any of its libraries. Addresses may hold passwords, so they are named by their host alone.
"""

import json
import logging
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from pydantic import SecretStr
from standardwebhooks import Webhook
from tenacity import retry, retry_if_exception, stop_after_attempt, stop_after_delay, wait_exponential

from feedback_pipeline import __version__
from feedback_pipeline.finetune.catalog import Release
from feedback_pipeline.finetune.publishing.retention import is_retired
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.files import sha256

RELEASED = "dataset.released"
"""A new version is there."""
REVOKED = "dataset.revoked"
"""Rows of a version had to be removed for good: whoever has a copy should stop using it."""
RETIRED = "dataset.retired"
"""A version has lost its data to its age; copies of it may be used."""

_TIMEOUT_SECONDS = 5
_ATTEMPTS = 3
_SECONDS_FOR_ATTEMPTS = 8
_WORTH_ANOTHER_ATTEMPT = {408, 429}

_posting: ContextVar[bool] = ContextVar("posting", default=False)


class NotTakenError(RuntimeError):
    """A receiver did not take a notice; the text says why and holds no secret.

    Attributes:
        passing: whether it is likely to take it later as it is: it was away, busy or broken.
    """

    def __init__(self, text: str, *, passing: bool):
        super().__init__(text)
        self.passing = passing


@dataclass(frozen=True)
class Receiver:
    """A webhook, by its place in the setting."""

    number: int
    url: str = field(repr=False)

    @property
    def key(self) -> str:
        """What stands for it where its address must not."""
        return sha256(self.url.encode())[:12]

    @property
    def label(self) -> str:
        """What people are told: paths, queries and user names can be secrets."""
        address = urlsplit(self.url)
        port = f":{address.port}" if address.port else ""
        return f"webhook {self.number} ({address.scheme}://{address.hostname}{port})"


@dataclass(frozen=True)
class Notice:
    """One thing to tell about one version.

    Attributes:
        event: ``RELEASED``, ``REVOKED`` or ``RETIRED``.
        release: the version as its manifest is now.
        noticed_at: when the event was seen first, ISO 8601 with zone; the same at every attempt.
    """

    event: str
    release: Release
    noticed_at: str

    @property
    def id(self) -> str:
        """``webhook-id``: the same at every attempt and for every receiver, so that nobody counts it twice."""
        one = self.release
        return f"msg_{sha256('|'.join([self.event, one.path, str(one.version), one.digest]).encode())[:32]}"

    @property
    def body(self) -> str:
        """The JSON that is signed and posted."""
        document = {"type": self.event, "timestamp": self.noticed_at, "data": described(self.release)}
        return json.dumps(document, sort_keys=True, ensure_ascii=False)


def receivers(settings: Settings) -> list[Receiver]:
    """Return the configured webhooks."""
    urls = settings.release_webhook_urls.get_secret_value().split(",")
    return [Receiver(number, url) for number, url in enumerate(filter(None, urls), 1)]


def event_of(release: Release) -> str:
    """Return what there is to tell about a version as it is now."""
    if not release.revoked:
        return RELEASED
    return RETIRED if is_retired(release) else REVOKED


def described(release: Release) -> dict[str, Any]:
    """Return what receivers are told about a version; no row, and no user, is named."""
    manifest = release.manifest
    configs = manifest.get("configs") or {"default": {"rows": release.rows}}
    revoked = release.revoked or {}
    return {
        "name": release.name,
        "version": release.version,
        "reference": f"{release.name}@v{release.version}",
        "digest": release.digest,
        "parent": manifest.get("parent"),
        "rows": {config: one["rows"] for config, one in configs.items()},
        "changes": manifest.get("changes"),
        "path": _without_secrets(release.path),
        "reason": revoked.get("reason"),
        "replaced_by": revoked.get("replaced_by"),
    }


def signed_headers(notice: Notice, secret: SecretStr, at: datetime) -> dict[str, str]:
    """Return the headers of one attempt at ``at`` (UTC): the id stays, time and signature are new."""
    signature = Webhook(secret.get_secret_value()).sign(notice.id, at, notice.body)
    return {
        "content-type": "application/json",
        "user-agent": f"feedback-pipeline/{__version__}",
        "webhook-id": notice.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


@retry(
    retry=retry_if_exception(lambda error: isinstance(error, NotTakenError) and error.passing),
    stop=stop_after_attempt(_ATTEMPTS) | stop_after_delay(_SECONDS_FOR_ATTEMPTS),
    wait=wait_exponential(multiplier=0.5, max=2),
    reraise=True,
)
def post(receiver: Receiver, notice: Notice, secret: SecretStr) -> None:
    """Post a notice, up to three times with growing pauses; after 8 seconds no further attempt is begun.

    Raises:
        NotTakenError: it was not answered with 2xx. Redirects are not followed.
    """
    headers = signed_headers(notice, secret, datetime.now(UTC))
    status = _status_of_answer(receiver.url, notice.body.encode(), headers)
    if not 200 <= status < 300:
        passing = status >= 500 or status in _WORTH_ANOTHER_ATTEMPT
        raise NotTakenError(f"answered {status}", passing=passing)


def _status_of_answer(url: str, body: bytes, headers: dict[str, str]) -> int:
    posting = _posting.set(True)
    try:
        with httpx.stream("POST", url, content=body, headers=headers, timeout=_TIMEOUT_SECONDS) as answer:
            # The body is not read: it says nothing, and could be endless.
            return answer.status_code
    except httpx.TimeoutException:
        # "from None": the errors of httpx name the whole address.
        raise NotTakenError(f"did not answer within {_TIMEOUT_SECONDS} seconds", passing=True) from None
    except httpx.HTTPError as error:
        raise NotTakenError(f"cannot be reached ({type(error).__name__})", passing=True) from None
    finally:
        _posting.reset(posting)


def _without_secrets(path: str) -> str:
    if "://" not in path:
        return path
    address = urlsplit(path)
    return urlunsplit((address.scheme, address.netloc.rsplit("@", 1)[-1], address.path, "", ""))


def _names_no_receiver(record: logging.LogRecord) -> bool:
    """Keep httpx from logging the addresses of receivers, which it does for every request."""
    return not _posting.get()


logging.getLogger("httpx").addFilter(_names_no_receiver)
