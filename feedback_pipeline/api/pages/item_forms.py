"""What the forms of an item send: read once, the same for every button."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form, Request
from fastapi.responses import Response

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.api.pages.browsing import Browsing, Looking
from feedback_pipeline.api.pages.highlighting import plain_breaks
from feedback_pipeline.api.pages.item import Refused, item_page, seen_item
from feedback_pipeline.api.pages.session import PostingReviewer
from feedback_pipeline.api.services import Services, Serving
from feedback_pipeline.review.queue import QueueItem
from feedback_pipeline.store import Status

MAX_REASON_CHARS = 2_000


@dataclass(frozen=True)
class Posted:
    """What every form of an item brings with it."""

    request: Request
    services: Services
    reviewer: Caller
    looking: Browsing
    item: QueueItem
    action: str
    typed: Mapping[str, str]
    expected: str | None

    @property
    def feedback_id(self) -> str:
        """The feedback that is decided."""
        return self.item.feedback_id

    @property
    def reason(self) -> str | None:
        """Why, as typed; None for nothing."""
        return self.typed.get("reason") or None

    @property
    def override(self) -> bool:
        """Tell whether failed checks are to be overridden."""
        return bool(self.typed.get("override"))

    def refuse(self, status: int, heading: str, detail: str | None) -> Response:
        """Show the item again with what stood in the way, and everything that was typed."""
        refused = Refused(status, heading, detail, self.action, self.typed)
        return item_page(self.request, self.services, self.reviewer, self.looking, self.feedback_id, refused=refused)


def _posted(
    request: Request,
    feedback_id: str,
    reviewer: PostingReviewer,
    looking: Looking,
    services: Serving,
    reason: Annotated[str, Form(max_length=MAX_REASON_CHARS)] = "",
    override: Annotated[str, Form(max_length=5)] = "",
    expected: Annotated[str, Form(max_length=20)] = "",
    corrected_sql: Annotated[str, Form()] = "",
    natural_query: Annotated[str, Form()] = "",
    then: Annotated[str, Form(max_length=10)] = "",
) -> Posted:
    """Read a form. Raises UnknownFeedbackError for what the reviewer may not see."""
    typed = {
        "reason": plain_breaks(reason).strip(),
        "override": override,
        "corrected_sql": plain_breaks(corrected_sql),
        "natural_query": plain_breaks(natural_query).strip(),
        "then": then,
    }
    known = expected if expected in set(Status) else None
    action = request.url.path.rsplit("/", 1)[-1]
    item = seen_item(services, reviewer, feedback_id)
    return Posted(request, services, reviewer, looking, item, action, typed, known)


Sent = Annotated[Posted, Depends(_posted)]
"""Parameter of what a form of an item sends."""
