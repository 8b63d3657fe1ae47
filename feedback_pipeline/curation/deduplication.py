"""One row per distinct question and answer: repeats become weight, contradictions are set aside.

Rows are compared only within one database and one canonical SQL, so two different queries can never merge, however
alike their questions. Different wordings of one query stay apart: they are what lets retrieval find it.
"""

import hashlib
from dataclasses import dataclass

import daft
import pyarrow as pa
from daft import col, lit
from daft.functions import concat

from feedback_pipeline.curation.clustering import cluster_ids
from feedback_pipeline.schemas import DEDUPED_FEEDBACK, DROPPED, require

_QUESTION = ["database_id", "canonical_question"]
_EXAMPLE = [*_QUESTION, "canonical_sql"]


@dataclass(frozen=True)
class DeduplicationResult:
    """Distinct examples (schemas.DEDUPED_FEEDBACK), and each row that is not one itself, with the reason (DROPPED).

    ``dropped`` has two reasons: ``duplicate`` (counted in another row's weight, which ``detail`` names) and
    ``conflict`` (the same question has answers that differ; a reviewer must choose).
    """

    kept: pa.Table
    dropped: pa.Table


def example_id(database_id: str, canonical_question: str, canonical_sql: str) -> str:
    """Return the first 16 hex digits of SHA-256 over the three parts that make an example distinct."""
    text = "\x1f".join((database_id, canonical_question, canonical_sql))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def deduplicate(verified: daft.DataFrame) -> DeduplicationResult:
    """Collapse verified corrections (schemas.VERIFIED_FEEDBACK) into distinct examples."""
    rows = verified.with_column("order", _submission_order()).collect()
    answers = rows.groupby(*_QUESTION).agg(col("canonical_sql").count_distinct().alias("answers"))
    rows = rows.join(answers, on=[*_QUESTION]).collect()
    agreed = rows.where(col("answers") == lit(1))
    kept = _with_clusters(_collapse(agreed))
    dropped = _conflicts(rows).concat(_duplicates(agreed))
    dropped = require(dropped.sort("feedback_id").to_arrow(), DROPPED, "deduped_feedback (dropped)")
    return DeduplicationResult(kept, dropped)


def _submission_order() -> daft.Expression:
    """Return a text that sorts as (created_at, feedback_id): the earliest wording speaks for its group."""
    moment = col("created_at").cast(daft.DataType.int64()).cast(daft.DataType.string())
    return concat(daft.functions.lpad(moment, lit(20), lit("0")), concat(lit(":"), col("feedback_id")))


def _collapse(rows: daft.DataFrame) -> daft.DataFrame:
    merged = (
        rows.with_column("voice", col("user_hash").fill_null(""))
        .groupby(*_EXAMPLE)
        .agg(
            col("order").min(),
            col("voice").count_distinct().cast(daft.DataType.int32()).alias("weight"),
            col("feedback_id").list_agg().alias("feedback_ids"),
        )
        .with_column("feedback_ids", daft.functions.list_sort(col("feedback_ids")))
    )
    spoken = rows.select("order", "natural_query", "sql", "sql_skeleton", "source")
    return merged.join(spoken, on="order").join(_first_mistakes(rows), on=[*_EXAMPLE], how="left")


def _first_mistakes(rows: daft.DataFrame) -> daft.DataFrame:
    """Return per example the wrong SQL of its earliest error pair."""
    errors = rows.where(col("is_error_pair"))
    firsts = errors.groupby(*_EXAMPLE).agg(col("order").min())
    return firsts.join(errors.select("order", "generated_sql"), on="order").exclude("order")


@daft.func.batch(return_dtype=daft.DataType.string())
def _example_ids(database: daft.Series, question: daft.Series, sql: daft.Series) -> list[str]:
    parts = zip(database.to_pylist(), question.to_pylist(), sql.to_pylist(), strict=True)
    return [example_id(*part) for part in parts]


def _with_clusters(examples: daft.DataFrame) -> pa.Table:
    identified = examples.with_column("example_id", _example_ids(*(col(name) for name in _EXAMPLE)))
    table = identified.sort("example_id").to_arrow()
    table = table.append_column("cluster_id", cluster_ids(table))
    return require(table, DEDUPED_FEEDBACK, "deduped_feedback")


def _conflicts(rows: daft.DataFrame) -> daft.DataFrame:
    rivals = rows.where(col("answers") > lit(1))
    detail = concat(col("answers").cast(daft.DataType.string()), lit(" different answers to the same question"))
    return _as_dropped(rivals, "conflict", detail)


def _duplicates(rows: daft.DataFrame) -> daft.DataFrame:
    identified = rows.with_column("example_id", _example_ids(*(col(name) for name in _EXAMPLE)))
    firsts = identified.groupby("example_id").agg(col("order").min().alias("first"))
    repeats = identified.join(firsts, on="example_id").where(col("order") != col("first"))
    return _as_dropped(repeats, "duplicate", concat(lit("counted in example "), col("example_id")))


def _as_dropped(rows: daft.DataFrame, reason: str, detail: daft.Expression) -> daft.DataFrame:
    return rows.select(
        col("feedback_id"),
        lit("deduped_feedback").alias("stage"),
        lit(reason).alias("reason"),
        detail.alias("detail"),
    )
