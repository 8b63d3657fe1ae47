"""Rated interactions for the tests: small, and only what a test changes is named in it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from feedback_pipeline.reranker.triplets import TripletPolicy, TripletResult, build_triplets
from feedback_pipeline.schemas import RAW_INTERACTIONS

START = datetime(2026, 1, 1, tzinfo=UTC)


def chunk(
    text: str | None, rank: int | None = None, in_scope: bool | None = None, chunk_id: str = "c"
) -> dict[str, Any]:
    return {"chunk_id": chunk_id, "text": text, "score": None, "rank": rank, "in_scope": in_scope}


def interaction(number: int, thumb: int | None, *chunks: dict[str, Any] | str, **changes: Any) -> dict[str, Any]:
    """Return one row of schemas.RAW_INTERACTIONS; texts become chunks in the order of ranks."""
    listed = [chunk(one, place) if isinstance(one, str) else one for place, one in enumerate(chunks, start=1)]
    moment = START + timedelta(minutes=number)
    return {
        "interaction_id": number,
        "kind": "rag",
        "database_id": "handbook",
        "natural_query": "How many days of leave do I have?",
        "output": None,
        "model": None,
        "user_hash": f"user {number}",
        "feedback": thumb,
        "feedback_reason": None,
        "created_at": moment,
        "rated_at": None if thumb is None else moment,
        "chunks": listed,
        **changes,
    }


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), RAW_INTERACTIONS)


def built(*rows: dict[str, Any], **policy: Any) -> TripletResult:
    return build_triplets([table(*rows)], TripletPolicy(**policy))


def judged(result: TripletResult) -> dict[str, dict[str, float]]:
    """Return the only row's passages and weights, by side."""
    (row,) = result.rows.to_pylist()
    return {side: dict(zip(row[f"{side}s"], row[f"{side}_weights"], strict=True)) for side in ("positive", "negative")}


def dropped(result: TripletResult) -> dict[tuple[int, int | None], str]:
    return {(row["interaction_id"], row["rank"]): row["reason"] for row in result.dropped.to_pylist()}
