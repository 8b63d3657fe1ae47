"""What may happen to a feedback, and when: the table of statuses and events, without any database."""

from collections.abc import Iterable
from enum import StrEnum


class Status(StrEnum):
    """Where a feedback stands."""

    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    STALE = "stale"
    WITHDRAWN = "withdrawn"


class Event(StrEnum):
    """What happened to a feedback."""

    SUBMITTED = "submitted"
    CHECKED = "checked"
    VERIFIED = "verified"
    REJECTED = "rejected"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    STALE = "stale"
    WITHDRAWN = "withdrawn"
    REOPENED = "reopened"
    RESTORED = "restored"
    SET_ASIDE = "set_aside"


ALLOWED_FROM: dict[Event, frozenset[Status]] = {
    Event.VERIFIED: frozenset({Status.PENDING}),
    Event.REJECTED: frozenset({Status.PENDING, Status.VERIFIED, Status.APPLIED}),
    Event.APPLIED: frozenset({Status.VERIFIED}),
    Event.SUPERSEDED: frozenset({Status.PENDING, Status.VERIFIED, Status.APPLIED}),
    Event.STALE: frozenset({Status.VERIFIED, Status.APPLIED}),
    Event.RESTORED: frozenset({Status.STALE}),
    Event.SET_ASIDE: frozenset({Status.APPLIED}),
    Event.WITHDRAWN: frozenset(Status) - {Status.WITHDRAWN},
    Event.REOPENED: frozenset({Status.REJECTED, Status.SUPERSEDED, Status.VERIFIED, Status.APPLIED}),
}
"""The statuses from which each deciding event may happen; ``submitted`` and ``checked`` decide nothing."""

TARGET: dict[Event, Status] = {
    **{event: Status(event.value) for event in ALLOWED_FROM if event.value in set(Status)},
    Event.REOPENED: Status.PENDING,
    Event.RESTORED: Status.VERIFIED,
    Event.SET_ASIDE: Status.VERIFIED,
}
"""The status each deciding event leads to."""

UNPUBLISHED = frozenset({Event.SUBMITTED, Event.CHECKED, Event.APPLIED, Event.SET_ASIDE})
"""Events that change nothing of what is published; all others do."""

ECHOES = frozenset({Event.CHECKED, Event.APPLIED, Event.SET_ASIDE})
"""Events the pipeline writes about its own work, so they must not start it again."""


class IllegalTransitionError(ValueError):
    """An event that may not happen to a feedback in its present status; nothing was changed.

    ``why`` replaces the explanation from the table where something else than the status forbids it.
    """

    def __init__(self, feedback_id: str, current: str, event: str, why: str | None = None):
        self.feedback_id, self.current, self.event = feedback_id, current, event
        super().__init__(f"Feedback {feedback_id} is {current} and cannot be {event}: {why or _why(current, event)}")


def allowed_events(current: Status) -> list[Event]:
    """Return the events that may happen to a feedback that is ``current``, in the order of the table."""
    return [event for event, sources in ALLOWED_FROM.items() if current in sources]


def next_status(feedback_id: str, current: Status, event: Event) -> Status:
    """Return the status after ``event``. Raises IllegalTransitionError naming what is allowed instead."""
    if current not in ALLOWED_FROM.get(event, frozenset()):
        raise IllegalTransitionError(feedback_id, current, event)
    return TARGET[event]


def status_after(events: Iterable[str]) -> Status:
    """Return the status that a feedback's ``events``, oldest first, add up to."""
    status = Status.PENDING
    for event in events:
        status = TARGET.get(Event(event), status)
    return status


def _why(current: str, event: str) -> str:
    allowed = ", ".join(allowed_events(Status(current))) or "nothing"
    sources = ", ".join(sorted(ALLOWED_FROM.get(Event(event), frozenset()))) or "no status"
    return f"{event} is for {sources}; from {current} it may be {allowed}."
