"""FeedbackQA's ratings as interactions: one per thumb, as if people had rated the answers of a RAG assistant.

``python -m benchmarks.feedbackqa_replay FOLDER --jsonl interactions.jsonl`` writes what
``feedback-pipeline import --kind interactions`` reads. The folder holds ``feedback.jsonl.gz`` (``question_id``,
``source``, ``question``, ``passage_key``, and the lists ``thumbs`` and ``explanations``, one entry per rater) and
``passages.jsonl.gz`` (``passage_key``, ``page_title``, ``section_headers``, ``text``), made from the ratings of Li,
Sharma, Lu, Cheung and Reddy (2022), "Using Interactive Feedback to Improve the Accuracy and Explainability of Question
Answering Systems Post-Deployment". Questions, passages, thumbs and reasons are theirs; users and times are invented,
and the seed fixes them.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer

from feedback_pipeline.schemas import RAW_INTERACTIONS, require

USERS = 120
"""People the thumbs are dealt out to, some busier than others; the raters of one passage are different people."""

_FIRST = datetime(2025, 3, 3, 8, tzinfo=UTC)
_SECONDS = 28 * 24 * 3600
_UNEVEN = 0.8
"""Spread (sigma) of the log-normal distribution of how busy a user is."""


def replay(folder: Path, seed: int = 7) -> pa.Table:
    """Return one interaction per thumb (schemas.RAW_INTERACTIONS), ordered by time and numbered in that order.

    The passage that was rated is the only chunk and in scope; its rank is its place among the passages rated for the
    question. ``database_id`` is the region the question is about. The same folder and seed give the same rows.
    """
    return require(pa.Table.from_pylist(_interactions(folder, seed), RAW_INTERACTIONS), RAW_INTERACTIONS, "replay")


def write_jsonl(interactions: pa.Table, path: Path) -> Path:
    """Write interactions as ``feedback-pipeline import --kind interactions`` reads them, one JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in interactions.to_pylist():
            fields = {"client_key": f"feedbackqa-{row.pop('interaction_id')}", "user_id": row.pop("user_hash"), **row}
            file.write(json.dumps(fields, default=datetime.isoformat, ensure_ascii=False) + "\n")
    return path


def _interactions(folder: Path, seed: int) -> list[dict[str, Any]]:
    chance = np.random.default_rng(seed)
    busy = chance.lognormal(sigma=_UNEVEN, size=USERS)
    passages = {passage["passage_key"]: _chunk_text(passage) for passage in _lines(folder / "passages.jsonl.gz")}
    places: dict[str, int] = {}
    thumbs: list[dict[str, Any]] = []
    for rated in _lines(folder / "feedback.jsonl.gz"):
        place = places[rated["question_id"]] = places.get(rated["question_id"], 0) + 1
        chunk = {"chunk_id": rated["passage_key"], "text": passages[rated["passage_key"]], "score": None}
        chunk |= {"rank": place, "in_scope": True}
        users = chance.choice(USERS, size=len(rated["thumbs"]), replace=False, p=busy / busy.sum())
        for user, thumb, reason in zip(users, rated["thumbs"], rated["explanations"], strict=True):
            thumbs.append(_thumb(rated, thumb, reason, chunk, _user(int(user)), chance))
    thumbs.sort(key=lambda row: row["created_at"])
    return [{"interaction_id": number, **row} for number, row in enumerate(thumbs, start=1)]


def _thumb(
    rated: dict[str, Any], thumb: str, reason: str, chunk: dict[str, Any], user: str, chance: np.random.Generator
) -> dict[str, Any]:
    asked = _FIRST + timedelta(seconds=float(chance.uniform(0, _SECONDS)))
    return {
        "kind": "rag",
        "database_id": rated["source"],
        "natural_query": rated["question"],
        "output": None,
        "model": None,
        "user_hash": user,
        "feedback": {"up": 1, "down": -1}[thumb],
        "feedback_reason": reason or None,
        "created_at": asked,
        "rated_at": asked + timedelta(seconds=float(chance.uniform(20, 600))),
        "chunks": [chunk],
    }


def _user(number: int) -> str:
    return hashlib.sha256(f"feedbackqa rater {number}".encode()).hexdigest()


def _chunk_text(passage: dict[str, Any]) -> str:
    return "\n".join([passage["page_title"], *passage["section_headers"], passage["text"].strip()])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _main(
    folder: Annotated[Path, typer.Argument(help="Holds feedback.jsonl.gz and passages.jsonl.gz.")],
    jsonl: Annotated[Path, typer.Option(help="Where to write the interactions.")],
    seed: Annotated[int, typer.Option(help="Fixes users and times.")] = 7,
) -> None:
    """Write the replayed interactions as JSONL for `feedback-pipeline import --kind interactions`."""
    interactions = replay(folder, seed)
    write_jsonl(interactions, jsonl)
    typer.echo(f"{interactions.num_rows:,} interactions in {jsonl}")


if __name__ == "__main__":
    typer.run(_main)
