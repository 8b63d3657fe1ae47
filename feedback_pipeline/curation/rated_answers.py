"""Answers that users rated down, beside the verified answer to the same question: what a model should not say again.

A rating alone proves little. It counts where a verified answer to the very question says something else, and where
more users rated the answer down than up.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.curation.questions import canonical_question

RATED_ANSWERS = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("rated_down", pa.list_(pa.string()), nullable=False),
        pa.field("rated_in", pa.list_(pa.string()), nullable=False),
    ]
)
"""The wrong answers to the question of an example, and the interactions or feedback in which users rated them down."""

MOST_RATED_DOWN = 5
"""Answers kept of one question, those that most users rated down: one user shall not fill a dataset with them."""

_TEAM = ""
"""Stands for whoever rates without a user: together they have one voice."""


@dataclass(frozen=True)
class Rating:
    """One user's rating of one answer.

    Attributes:
        database_id: what was asked about.
        question: as it was asked.
        sql: the answer.
        user: hash of the user, None where there is none.
        good: rated up, else down.
        rated_in: the interaction or feedback it was given in.
        at: when.
    """

    database_id: str
    question: str
    sql: str
    user: str | None
    good: bool
    rated_in: str
    at: datetime


@dataclass(frozen=True)
class ReadSql:
    """An answer as it may be shown, and its canonical form."""

    text: str
    canonical: str


Reader = Callable[[str, str], ReadSql | None]
"""Reads (database_id, SQL); None where it is no query that only reads."""


def rated_down(examples: pa.Table, ratings: Iterable[Rating], read: Reader) -> pa.Table:
    """Return, as RATED_ANSWERS ordered by example_id, the answers that users rated down.

    Args:
        examples: example_id, database_id, canonical_question, canonical_sql, generated_sql and wrong_sql.
        ratings: in any order; a user's last rating of an answer counts.
        read: cleans and reads an answer.
    """
    asked: dict[tuple[str, str], list[Rating]] = defaultdict(list)
    for rating in sorted(ratings, key=lambda rating: (rating.at, rating.rated_in)):
        asked[rating.database_id, canonical_question(rating.question)].append(rating)
    questions = pa.array(sorted({question for _, question in asked}), pa.string())
    rows = []
    for example in examples.filter(pc.is_in(examples["canonical_question"], value_set=questions)).to_pylist():
        given = asked.get((example["database_id"], example["canonical_question"]), [])
        if wrong := _outvoted(given, _known(example, read), read):
            texts = sorted(wrong, key=lambda text: (-len(wrong[text]), text))[:MOST_RATED_DOWN]
            texts.sort()
            origins = sorted({origin for text in texts for origin in wrong[text]})
            rows.append({"example_id": example["example_id"], "rated_down": texts, "rated_in": origins})
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["example_id"]), RATED_ANSWERS)


def _known(example: Mapping[str, Any], read: Reader) -> set[str]:
    """Return the canonical forms that need no rating: the verified answer, and the mistakes known by other means."""
    mistakes = {example["generated_sql"], *example["wrong_sql"]} - {None}
    readings = (read(example["database_id"], mistake) for mistake in mistakes)
    return {example["canonical_sql"], *(reading.canonical for reading in readings if reading)}


def _outvoted(ratings: list[Rating], known: set[str], read: Reader) -> dict[str, list[str]]:
    """Return the answers that more users rated down than up, in their earliest spelling, each with where they did."""
    votes: dict[str, dict[str, Rating]] = defaultdict(dict)
    spelled: dict[str, str] = {}
    for rating in ratings:
        answer = read(rating.database_id, rating.sql)
        if answer is not None and answer.canonical not in known:
            spelled.setdefault(answer.canonical, answer.text)
            votes[answer.canonical][rating.user or _TEAM] = rating
    return {
        spelled[canonical]: [rating.rated_in for rating in by_user.values() if not rating.good]
        for canonical, by_user in votes.items()
        if sum(1 if rating.good else -1 for rating in by_user.values()) < 0
    }
