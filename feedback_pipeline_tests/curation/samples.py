"""Rows for the tests of curation: small, and only what a test changes is named in it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import daft
import pyarrow as pa

from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.schemas import SUBMISSIONS, VERIFIED_FEEDBACK

START = datetime(2026, 1, 1, tzinfo=UTC)


def submission(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return one row of schemas.SUBMISSIONS."""
    return {
        "feedback_id": f"f{number:05d}",
        "database_id": "shop",
        "natural_query": f"question {number}",
        "generated_sql": "SELECT name FROM singer",
        "corrected_sql": "SELECT id FROM singer",
        "rating": None,
        "comment": None,
        "user_hash": None,
        "source": "user_feedback",
        "created_at": START + timedelta(minutes=number),
        **changes,
    }


def submissions(*rows: dict[str, Any]) -> pa.Table:
    """Return rows as a table of schemas.SUBMISSIONS."""
    return pa.Table.from_pylist(list(rows), SUBMISSIONS)


def verified(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return one row of schemas.VERIFIED_FEEDBACK; canonical forms follow from question and SQL unless given."""
    row = {
        "feedback_id": f"f{number:05d}",
        "database_id": "shop",
        "natural_query": f"question {number}",
        "sql": "SELECT 1",
        "generated_sql": None,
        "is_error_pair": False,
        "user_hash": f"user{number}",
        "source": "user_feedback",
        "created_at": START + timedelta(minutes=number),
        "verified_at": START + timedelta(days=1, minutes=number),
        "evidence": "parsed",
        **changes,
    }
    return {
        "canonical_question": canonical_question(row["natural_query"]),
        "canonical_sql": row["sql"],
        "sql_skeleton": row["sql"],
        **row,
    }


def verified_frame(rows: list[dict[str, Any]]) -> daft.DataFrame:
    """Return rows as a frame of schemas.VERIFIED_FEEDBACK."""
    return daft.from_arrow(pa.Table.from_pylist(rows, VERIFIED_FEEDBACK))
