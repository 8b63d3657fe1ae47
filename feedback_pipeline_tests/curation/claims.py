"""Claims for the tests of conflicts and consensus: good ones, of which a test changes what it is about."""

from typing import Any

from feedback_pipeline.curation.conflicts import Claim
from feedback_pipeline_tests.curation.samples import START

RAN = {"corrected": {"outcome": "ok", "rows": 1, "columns": ["n"]}}
FAILED = {"corrected": {"outcome": "error", "error": "no such table: x"}}


def claim(number: int, user: str | None = None, sql: str | None = "SELECT 1", **changes: Any) -> Claim:
    """Return a pending claim that passes everything; ``user`` is its own unless given."""
    fields: dict[str, Any] = {
        "feedback_id": f"f{number:03d}",
        "question": ("shop", "cost"),
        "status": "pending",
        "user_hash": f"user{number}" if user is None else user,
        "rating": None,
        "passed": True,
        "failed_check": None,
        "sql": sql,
        "canonical_sql": sql,
        "result_digest": f"rows of {sql}",
        "flags": (),
        "created_at": START,
        "evidence": RAN,
    }
    return Claim(**{**fields, **changes})
