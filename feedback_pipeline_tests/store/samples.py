"""Records for the tests of this folder."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import CheckRecord, Status, Store, Submission, decide, record_checks, submit_many
from feedback_pipeline.store.models import FeedbackEventRow

MOMENT = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
PATHS = {
    Status.PENDING: (),
    Status.VERIFIED: ("verified",),
    Status.REJECTED: ("rejected",),
    Status.APPLIED: ("verified", "applied"),
    Status.SUPERSEDED: ("superseded",),
    Status.STALE: ("verified", "stale"),
    Status.WITHDRAWN: ("withdrawn",),
}
"""The events that lead a new feedback to each status."""


def settings_at(folder: Path, database_url: str | None = None, hash_key: str | None = "secret") -> Settings:
    """Return the settings of a store: SQLite below ``folder`` unless a URL is given."""
    return Settings.model_validate({"storage_root": str(folder), "database_url": database_url, "hash_key": hash_key})


def submission(key: str | None = "k1", **changes: Any) -> Submission:
    """Return a correction of which ``changes`` replace fields."""
    fields: dict[str, Any] = {
        "database_id": "geo",
        "natural_query": f"how many rivers are in {key}",
        "generated_sql": "SELECT 1",
        "corrected_sql": "SELECT count(*) FROM river",
        "rating": 5,
        "user_id": "ann@example.com",
        "client_key": key,
        "source": "import",
        "created_at": MOMENT,
    }
    return Submission(**{**fields, **changes})


def submit(store: Store, *keys: str, passed: bool | None = True, **changes: Any) -> list[str]:
    """Submit one correction per key and record its checks unless ``passed`` is None; return the ids."""
    ids = [item.feedback_id for item in submit_many(store, [submission(key, **changes) for key in keys])]
    if passed is not None:
        record_checks(store, [CheckRecord(i, {"parses": passed}, "v1", passed) for i in ids])
    return ids


def submit_as(store: Store, status: Status, key: str = "k1") -> str:
    """Submit a correction and lead it to ``status``; return its id."""
    [feedback_id] = submit(store, key)
    for event in PATHS[status]:
        decide(store, [feedback_id], event, actor="ada")
    return feedback_id


def move_events(store: Store, feedback_ids: Iterable[str], day: date, event: str) -> None:
    """Let the events ``event`` of ``feedback_ids`` have happened in the last microsecond of ``day``."""
    at = datetime.combine(day, time(), UTC) + timedelta(days=1) - timedelta(microseconds=1)
    with store.begin() as session:
        matching = FeedbackEventRow.feedback_id.in_(list(feedback_ids)), FeedbackEventRow.event == event
        session.execute(update(FeedbackEventRow).where(*matching).values(at=at))
