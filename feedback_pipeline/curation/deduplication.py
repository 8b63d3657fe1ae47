"""One row per distinct question and answer: repeats become weight, contradictions are set aside.

Rows are compared only within one database and one canonical question. Answers are the same where their canonical SQL
is, or where running them gave the same rows; different answers never merge, however alike their questions. Different
wordings of one query stay apart: they are what lets retrieval find it.
"""

import hashlib
from dataclasses import dataclass

import daft
import pyarrow as pa
from daft import col, lit
from daft.functions import concat

from feedback_pipeline.curation.clustering import cluster_ids
from feedback_pipeline.curation.weighting import UserWeights, user_weights
from feedback_pipeline.schemas import DEDUPED_FEEDBACK, DROPPED, require

_QUESTION = ["database_id", "canonical_question"]
_EXAMPLE = [*_QUESTION, "canonical_sql"]
_TEAM = ""
"""Stands for the user of feedback without one, so that it groups and joins like any other."""
_UNITS = 10**9
"""Weights are summed as whole billionths: sums of floats would depend on the order of rows."""
_MOST_VOICES = 10**9
MOST_MISTAKES = 5
"""Wrong answers kept of one question, the earliest: whoever submits hundreds shall not fill a dataset with them."""


@dataclass(frozen=True)
class DeduplicationResult:
    """Distinct examples (schemas.DEDUPED_FEEDBACK), and each row that is not one itself, with the reason (DROPPED).

    ``dropped`` has three reasons: ``duplicate`` (counted in another row's weight, which ``detail`` names), ``merged``
    (the same, of another query that gives the same rows) and ``conflict`` (the same question has answers that differ; a
    reviewer must choose). ``users`` tells each user's share of all weight.
    """

    kept: pa.Table
    dropped: pa.Table
    users: UserWeights


def example_id(database_id: str, canonical_question: str, canonical_sql: str) -> str:
    """Return the first 16 hex digits of SHA-256 over the three parts that make an example distinct."""
    text = "\x1f".join((database_id, canonical_question, canonical_sql))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def deduplicate(
    verified: daft.DataFrame, *, max_user_share: float = 1.0, across_databases: bool = True
) -> DeduplicationResult:
    """Collapse verified corrections (schemas.VERIFIED_FEEDBACK) into distinct examples.

    Of several queries that give the same rows the one most users gave speaks, the earliest where they are as many. The
    weight of an example is the number of its distinct users, each scaled so that nobody holds more than
    ``max_user_share`` of all weight (see ``weighting``). ``across_databases`` is that of ``clustering.cluster_ids``.
    """
    rows = verified.with_columns({"order": _submission_order(), "user": col("user_hash").fill_null(_TEAM)}).collect()
    spellings = _with_answers(rows).collect()
    rivals = spellings.where(col("answers") > lit(1))
    speaking = _speaking(spellings.where(col("answers") == lit(1))).collect()
    agreed = rows.join(speaking, on=[*_QUESTION]).collect()
    voices = agreed.select(*_QUESTION, "user").distinct().collect()
    users = _user_weights(voices, max_user_share)
    kept = _with_clusters(_collapse(agreed, _weights(voices, users)), across_databases)
    dropped = _conflicts(rows, rivals).concat(_counted_elsewhere(agreed))
    dropped = require(dropped.sort("feedback_id").to_arrow(), DROPPED, "deduped_feedback (dropped)")
    return DeduplicationResult(kept, dropped, users)


def _submission_order() -> daft.Expression:
    """Return a text that sorts as (created_at, feedback_id): the earliest wording speaks for its group."""
    moment = col("created_at").cast(daft.DataType.int64()).cast(daft.DataType.string())
    return concat(daft.functions.lpad(moment, lit(20), lit("0")), concat(lit(":"), col("feedback_id")))


def _with_answers(rows: daft.DataFrame) -> daft.DataFrame:
    """Return each spelling of each question: its voices, when it first came, and how many answers the question has.

    Spellings are one answer where each gave rows and the rows are equal. One that gave different rows at different
    times says nothing, like one that was never run.
    """
    digest = col("result_digest")
    spellings = rows.groupby(*_EXAMPLE).agg(
        col("user").count_distinct().alias("voices"),
        col("order").min().alias("first"),
        digest.min().alias("digest"),
        digest.max().alias("other_digest"),
    )
    same_rows = concat(lit("rows:"), daft.functions.when(col("digest") == col("other_digest"), col("digest")))
    answer = daft.functions.coalesce(same_rows, concat(lit("sql:"), col("canonical_sql")))
    spellings = spellings.with_column("answer", answer).exclude("digest", "other_digest").collect()
    answers = spellings.groupby(*_QUESTION).agg(col("answer").count_distinct().alias("answers"))
    return spellings.join(answers, on=[*_QUESTION])


def _speaking(spellings: daft.DataFrame) -> daft.DataFrame:
    """Return per question the spelling that speaks: most voices first, then the earliest."""
    fewer = (lit(_MOST_VOICES) - col("voices")).cast(daft.DataType.string())
    ranked = spellings.with_column("rank", concat(daft.functions.lpad(fewer, lit(10), lit("0")), col("first")))
    best = ranked.groupby(*_QUESTION).agg(col("rank").min())
    named = best.join(ranked.select("rank", "canonical_sql", "first"), on="rank")
    return named.select(*_QUESTION, col("canonical_sql").alias("spoken_sql"), col("first").alias("spoken_first"))


def _user_weights(voices: daft.DataFrame, max_user_share: float) -> UserWeights:
    counted = voices.groupby("user").agg(col("database_id").count().alias("voices")).to_pydict()
    counts = dict(zip(counted["user"], counted["voices"], strict=True))
    return user_weights({user or None: count for user, count in counts.items()}, max_user_share)


def _weights(voices: daft.DataFrame, users: UserWeights) -> daft.DataFrame:
    units = [round(factor * _UNITS) for factor in users.factors.values()]
    schema = pa.schema([("user", pa.string()), ("units", pa.int64())])
    factors = daft.from_arrow(pa.table([list(users.factors), units], schema=schema))
    weighed = voices.join(factors, on="user", how="left").with_column("units", col("units").fill_null(_UNITS))
    summed = weighed.groupby(*_QUESTION).agg(col("units").sum())
    return summed.select(*_QUESTION, (col("units").cast(daft.DataType.float64()) / lit(float(_UNITS))).alias("weight"))


def _collapse(agreed: daft.DataFrame, weights: daft.DataFrame) -> daft.DataFrame:
    """Return one row per question: the words and SQL of its speaker, and all feedback behind it."""
    behind = agreed.groupby(*_QUESTION).agg(
        col("feedback_id").list_agg().alias("feedback_ids"),
        col("user").count_distinct().cast(daft.DataType.int32()).alias("contributors"),
        col("verified_at").min(),
    )
    behind = behind.with_column("feedback_ids", daft.functions.list_sort(col("feedback_ids")))
    spoken = agreed.where(col("order") == col("spoken_first"))
    told = ("natural_query", "sql", "sql_skeleton", "source", "evidence", "schema_fingerprint")
    spoken = spoken.select(*_EXAMPLE, *told)
    examples = spoken.join(behind, on=[*_QUESTION]).join(weights, on=[*_QUESTION])
    return examples.join(_first_mistakes(agreed), on=[*_QUESTION], how="left")


def _first_mistakes(agreed: daft.DataFrame) -> daft.DataFrame:
    """Return per question the wrong SQL of one error pair: the earliest that was seen to give other results, if any.

    Only pairs of the speaking query count: what another spelling corrected may be this very one.
    """
    errors = agreed.where(col("is_error_pair") & (col("canonical_sql") == col("spoken_sql")))
    proven = daft.functions.when(col("results_differ").fill_null(False), lit("0")).otherwise(lit("1"))
    errors = errors.with_column("rank", concat(proven, col("order")))
    firsts = errors.groupby(*_QUESTION).agg(col("rank").min())
    told = errors.select("rank", "generated_sql", "results_differ", "difference")
    return firsts.join(told, on="rank").exclude("rank").join(_proven_mistakes(errors), on=[*_QUESTION], how="left")


def _proven_mistakes(errors: daft.DataFrame) -> daft.DataFrame:
    """Return per question every wrong SQL that was seen to give other results, in any order and with repeats."""
    proven = errors.where(col("results_differ").fill_null(False))
    mistake = daft.functions.to_struct(order=col("order"), sql=col("generated_sql"), difference=col("difference"))
    return proven.with_column("mistakes", mistake).groupby(*_QUESTION).agg(col("mistakes").list_agg())


def _listed_mistakes(mistakes: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Return distinct wrong SQL, the earliest first, and what was seen of each, as columns of lists."""
    wrong, seen = [], []
    for one in mistakes.to_pylist():
        first: dict[str, str] = {}
        for mistake in sorted(one or (), key=lambda mistake: mistake["order"]):
            first.setdefault(mistake["sql"], mistake["difference"])
        wrong.append(list(first)[:MOST_MISTAKES])
        seen.append(list(first.values())[:MOST_MISTAKES])
    return pa.array(wrong, pa.list_(pa.string())), pa.array(seen, pa.list_(pa.string()))


@daft.func.batch(return_dtype=daft.DataType.string())
def _example_ids(database: daft.Series, question: daft.Series, sql: daft.Series) -> list[str]:
    parts = zip(database.to_pylist(), question.to_pylist(), sql.to_pylist(), strict=True)
    return [example_id(*part) for part in parts]


def _with_clusters(examples: daft.DataFrame, across_databases: bool) -> pa.Table:
    identified = examples.with_column("example_id", _example_ids(*(col(name) for name in _EXAMPLE)))
    table = identified.sort("example_id").to_arrow()
    wrong, differences = _listed_mistakes(table["mistakes"])
    table = table.append_column("wrong_sql", wrong).append_column("wrong_differences", differences)
    table = table.append_column("cluster_id", cluster_ids(table, across_databases=across_databases))
    return require(table, DEDUPED_FEEDBACK, "deduped_feedback")


def _conflicts(rows: daft.DataFrame, rivals: daft.DataFrame) -> daft.DataFrame:
    answers = rivals.select(*_QUESTION, "answers").distinct()
    detail = concat(col("answers").cast(daft.DataType.string()), lit(" different answers to the same question"))
    return _as_dropped(rows.join(answers, on=[*_QUESTION]), lit("conflict"), detail)


def _counted_elsewhere(agreed: daft.DataFrame) -> daft.DataFrame:
    others = agreed.where(col("order") != col("spoken_first"))
    others = others.with_column("example_id", _example_ids(*(col(name) for name in (*_QUESTION, "spoken_sql"))))
    spoken = col("canonical_sql") == col("spoken_sql")
    reason = daft.functions.when(spoken, lit("duplicate")).otherwise(lit("merged"))
    counted = concat(lit("counted in example "), col("example_id"))
    detail = daft.functions.when(spoken, counted).otherwise(concat(counted, lit(", whose SQL gives the same rows")))
    return _as_dropped(others, reason, detail)


def _as_dropped(rows: daft.DataFrame, reason: daft.Expression, detail: daft.Expression) -> daft.DataFrame:
    return rows.select(
        col("feedback_id"),
        lit("deduped_feedback").alias("stage"),
        reason.alias("reason"),
        detail.alias("detail"),
    )
