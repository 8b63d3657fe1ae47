"""Which part of the queue a reviewer looks at: read from an address, written into addresses."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import Depends, Query

from feedback_pipeline.api.auth.caller import Caller
from feedback_pipeline.review.queue import Checks, Order, QueueFilter
from feedback_pipeline.store import Status

MAX_TEXT_CHARS = 200
MAX_CURSOR_CHARS = 400

AGES: dict[str, tuple[str, timedelta | None, timedelta | None]] = {
    "day": ("last 24 hours", timedelta(days=1), None),
    "week": ("last 7 days", timedelta(days=7), None),
    "month": ("last 30 days", timedelta(days=30), None),
    "older": ("30+ days ago", None, timedelta(days=30)),
}
"""Name in the address: words, at most so old, at least so old."""

ORDERS = {"value": "most valuable", "oldest": "oldest", "newest": "newest"}


@dataclass(frozen=True)
class Browsing:
    """What of the queue is looked at; empty texts ask for nothing."""

    status: str = "pending"
    database: str = ""
    checks: str = ""
    conflict: bool = False
    retirement: bool = False
    free: bool = False
    age: str = ""
    text: str = ""
    order: Order = "value"

    def wanted(self, caller: Caller) -> QueueFilter:
        """Return the filter of the queue, limited to what ``caller`` may see."""
        _, newest, oldest = AGES.get(self.age, ("", None, None))
        now = datetime.now(UTC)
        return QueueFilter(
            status=self.status,
            databases=caller.databases,
            database_id=self.database or None,
            checks=self.checks or None,  # pyright: ignore[reportArgumentType] - read from these values
            conflict=True if self.conflict else None,
            submitted_after=None if newest is None else now - newest,
            submitted_before=None if oldest is None else now - oldest,
            reserved=False if self.free else None,
            text=self.text or None,
            retirement=True if self.retirement else None,
            reviewer=caller.subject,
        )

    def with_(self, **changes: Any) -> "Browsing":
        """Return what is looked at with another filter."""
        return replace(self, **changes)

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the address, only those that ask for something."""
        default = Browsing()
        shown = {
            "status": self.status,
            "database": self.database,
            "checks": self.checks,
            "conflict": "yes" if self.conflict else "",
            "retirement": "yes" if self.retirement else "",
            "free": "yes" if self.free else "",
            "age": self.age,
            "q": self.text,
            "order": self.order,
        }
        return {name: value for name, value in shown.items() if value and value != getattr(default, name, "")}

    def address(self, path: str = "/review", **more: str | None) -> str:
        """Return ``path`` with the filter, and ``more`` fields."""
        fields = {**self.fields, **{name: value for name, value in more.items() if value}}
        return f"{path}?{urlencode(fields)}" if fields else path

    def item(self, feedback_id: str, action: str = "", **more: str | None) -> str:
        """Return the address of an item, or of what can be done with it, that remembers the filter."""
        return self.address(f"/review/items/{feedback_id}" + (f"/{action}" if action else ""), **more)

    @property
    def is_narrowed(self) -> bool:
        """Tell whether anything but the order is asked for."""
        return bool(self.fields.keys() - {"order"})


def browsing_from(
    status: Annotated[str, Query(max_length=20)] = "",
    database: Annotated[str, Query(max_length=200)] = "",
    checks: Annotated[str, Query(max_length=20)] = "",
    conflict: Annotated[str, Query(max_length=5)] = "",
    retirement: Annotated[str, Query(max_length=5)] = "",
    free: Annotated[str, Query(max_length=5)] = "",
    age: Annotated[str, Query(max_length=20)] = "",
    q: Annotated[str, Query(max_length=MAX_TEXT_CHARS)] = "",
    order: Annotated[str, Query(max_length=20)] = "",
) -> Browsing:
    """Return what the address asks for; a value that means nothing asks for nothing."""
    return Browsing(
        status=_one_of(status, Status, "pending"),
        database=database,
        checks=_one_of(checks, get_args(Checks)),
        conflict=conflict == "yes",
        retirement=retirement == "yes",
        free=free == "yes",
        age=_one_of(age, AGES),
        text=q.strip(),
        order=_one_of(order, get_args(Order), "value"),  # pyright: ignore[reportArgumentType] - one of its values
    )


def _one_of(value: str, known: Iterable[str], otherwise: str = "") -> str:
    return next((str(item) for item in known if value == item), otherwise)


Looking = Annotated[Browsing, Depends(browsing_from)]
"""Parameter of a page that knows which part of the queue is looked at."""
