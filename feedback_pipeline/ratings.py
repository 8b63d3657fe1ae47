"""What users rated, from where it is stored: thumbs on answers, and stars of those who corrected nothing.

Brings together ``curation`` (the rules), ``store`` (whose word still counts) and ``tables``.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.checking import checker_from
from feedback_pipeline.curation.checks import ENDORSING_RATING
from feedback_pipeline.curation.cleaning import clean_sql
from feedback_pipeline.curation.rated_answers import RATED_ANSWERS, Rating, Reader, ReadSql, rated_down
from feedback_pipeline.curation.sql import PARSER_FAULTS, SqlError, canonical, parse_query
from feedback_pipeline.schemas import CHECKED_FEEDBACK, RAW_INTERACTIONS
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, ids_by_status
from feedback_pipeline.tables.stages import StageTables

ASKED = ("example_id", "database_id", "canonical_question", "canonical_sql", "generated_sql", "wrong_sql")
"""The columns of schemas.DEDUPED_FEEDBACK that ratings are held against."""

_COUNTING = ("pending", "verified", "applied")
_THUMB_UP = 1


def rated_answers(store: Store, settings: Settings, examples: Callable[[Sequence[str]], pa.Table]) -> pa.Table:
    """Return the answers to the questions of ``examples`` that users rated down (rated_answers.RATED_ANSWERS).

    Args:
        store: where the dialects of databases and the status of feedback stand.
        settings: the storage root, and which rating is a good one.
        examples: reads columns of schemas.DEDUPED_FEEDBACK, where there are any ratings.
    """
    tables = StageTables(settings.storage_root)
    ratings = [*_thumbs(tables), *_stars(tables, store, settings.min_rating)]
    return rated_down(examples(ASKED), ratings, _reader(store, settings)) if ratings else RATED_ANSWERS.empty_table()


def _thumbs(tables: StageTables) -> Iterator[Rating]:
    """Yield the thumbs on SQL answers; the same interaction may stand in the tables of several days."""
    columns = (
        *("interaction_id", "kind", "database_id", "natural_query", "output", "user_hash", "feedback"),
        *("rated_at", "created_at"),
    )
    frame = tables.read("raw_interactions", RAW_INTERACTIONS).select(*columns)
    rated = frame.to_arrow().filter(
        (pc.field("kind") == "text2sql")
        & pc.field("feedback").is_valid()
        & pc.field("output").is_valid()
        & pc.field("database_id").is_valid()
    )
    for row in rated.to_pylist():
        good, where = row["feedback"] == _THUMB_UP, str(row["interaction_id"])
        at = row["rated_at"] or row["created_at"]
        yield Rating(row["database_id"], row["natural_query"], row["output"], row["user_hash"], good, where, at)


def _stars(tables: StageTables, store: Store, min_rating: int) -> Iterator[Rating]:
    """Yield the ratings of users who corrected nothing, where nobody has rejected or withdrawn them."""
    columns = (
        *("feedback_id", "database_id", "safe_question", "generated_sql", "corrected_sql", "rating", "user_hash"),
        "created_at",
    )
    frame = tables.read("checked_feedback", CHECKED_FEEDBACK).select(*columns)
    rated = frame.to_arrow().filter(
        pc.field("rating").is_valid() & pc.field("generated_sql").is_valid() & pc.field("corrected_sql").is_null()
    )
    counting = set().union(*(ids_by_status(store, status) for status in _COUNTING)) if rated.num_rows else set()
    for row in rated.to_pylist():
        good, bad = row["rating"] >= ENDORSING_RATING, row["rating"] < min_rating
        if row["feedback_id"] in counting and (good or bad):
            asked = (row["database_id"], row["safe_question"], row["generated_sql"])
            yield Rating(*asked, row["user_hash"], good, row["feedback_id"], row["created_at"])


def _reader(store: Store, settings: Settings) -> Reader:
    checker = checker_from(store, settings)

    @lru_cache(maxsize=100_000)
    def read(database_id: str, sql: str) -> ReadSql | None:
        facts = checker.facts(database_id)
        try:
            safe = clean_sql(sql.strip().rstrip(";").rstrip(), facts.dialect).text
            return ReadSql(safe, canonical(parse_query(safe, facts.dialect), facts.dialect, facts.columns).text)
        except (SqlError, *PARSER_FAULTS, RecursionError):
            return None

    return read
