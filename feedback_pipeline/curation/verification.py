"""Which corrections does somebody stand behind? The fold of all events, under the thresholds of the policy."""

from dataclasses import dataclass

import daft
import pyarrow as pa
from daft import col, lit
from daft.functions import regexp, regexp_extract

from feedback_pipeline.curation.evidence import evidence_of_checks
from feedback_pipeline.curation.questions import canonical_question
from feedback_pipeline.schemas import DROPPED, EVIDENCE, VERIFIED_FEEDBACK, require
from feedback_pipeline.store.transitions import ECHOES, TARGET

STATUS_OF_EVENT = {
    "submitted": "pending",
    **{event.value: status.value for event, status in TARGET.items() if event not in ECHOES},
}
"""The status each event leads to. The pipeline's own (applied, set_aside) decide nothing and are left out."""

_IN_USE = ("verified", "applied")
_OVERRIDE = r'"override":\s*true'
_OVERRIDDEN_CHECK = r'"overridden_check":\s*"(\w+)"'


@dataclass(frozen=True)
class VerificationResult:
    """Verified corrections (schemas.VERIFIED_FEEDBACK) and what was left out, with reasons (schemas.DROPPED)."""

    kept: pa.Table
    dropped: pa.Table


def fold_verified(events: daft.DataFrame, checked: daft.DataFrame, *, min_rating: int) -> VerificationResult:
    """Keep corrections whose last word is "verified", that pass the checks and are not rated low.

    Args:
        events: all rows of schemas.RAW_FEEDBACK, in any order and with repeats allowed.
        checked: all rows of schemas.CHECKED_FEEDBACK.
        min_rating: a correction that carries a rating (1-5) needs at least this one; an unrated one passes.

    A reviewer's explicit override stands above the check that failed when it was given, as long as the SQL could be
    read at all and no later decision takes its place. What leaves here are the safe texts: questions and SQL as they
    were submitted stay behind.

    """
    judged = checked.join(_last_status(events), on="feedback_id", how="left").with_column(
        "why", _why_left_out(min_rating)
    )
    judged = judged.sort("feedback_id").collect()
    return VerificationResult(_kept(judged), _dropped(judged))


def _last_status(events: daft.DataFrame) -> daft.DataFrame:
    meanings = daft.from_pydict({"event": list(STATUS_OF_EVENT), "status": list(STATUS_OF_EVENT.values())})
    telling = events.join(meanings, on="event")
    last = telling.groupby("feedback_id").agg(col("event_seq").max())
    overridden = (col("event") == lit("verified")) & regexp(col("payload").fill_null(""), _OVERRIDE)
    check = regexp_extract(col("payload").fill_null(""), lit(_OVERRIDDEN_CHECK), 1)
    decisions = telling.select(
        "event_seq",
        "status",
        col("at").alias("verified_at"),
        overridden.alias("overridden"),
        check.alias("overridden_check"),
    ).distinct()
    return last.join(decisions, on="event_seq").exclude("event_seq")


def _why_left_out(min_rating: int) -> daft.Expression:
    unread = col("canonical_sql").is_null()
    overridden = col("overridden_check").fill_null("")
    covered = (overridden == lit("")) | (overridden == col("failed_check").fill_null(""))
    failed = ~col("passed") & ~(col("overridden").fill_null(False) & covered)
    too_low = col("rating").fill_null(min_rating) < lit(min_rating)
    return (
        daft.functions.when(
            ~col("status").fill_null("pending").is_in(list(_IN_USE)), col("status").fill_null("pending")
        )
        .when(
            unread | failed,
            daft.functions.concat(lit("failed check: "), col("failed_check").fill_null("parses")),
        )
        .when(too_low, lit(f"rating below {min_rating}"))
        .otherwise(lit(None))
    )


@daft.func.batch(return_dtype=daft.DataType.string())
def _canonical_questions(question: daft.Series) -> list[str]:
    return [canonical_question(text) for text in question.to_pylist()]


@daft.func.batch(return_dtype=daft.DataType.from_arrow_type(pa.struct(EVIDENCE)))
def _evidence(checks: daft.Series, is_error_pair: daft.Series) -> pa.Array:
    rows = zip(checks.to_pylist(), is_error_pair.to_pylist(), strict=True)
    return pa.array([evidence_of_checks(*row) for row in rows], pa.struct(EVIDENCE))


def _kept(judged: daft.DataFrame) -> pa.Table:
    kept = judged.where(col("why").is_null())
    kept = kept.with_columns(
        {
            "natural_query": col("safe_question"),
            "canonical_question": _canonical_questions(col("safe_question")),
            "sql": col("safe_sql"),
            "generated_sql": col("safe_generated_sql"),
            "proof": _evidence(col("checks"), col("is_error_pair")),
        }
    )
    kept = kept.with_columns({field.name: col("proof").get(field.name) for field in EVIDENCE})
    return require(kept.select(*VERIFIED_FEEDBACK.names).to_arrow(), VERIFIED_FEEDBACK, "verified_feedback")


def _dropped(judged: daft.DataFrame) -> pa.Table:
    dropped = judged.where(~col("why").is_null()).select(
        col("feedback_id"), lit("verified_feedback").alias("stage"), col("why").alias("reason"), col("checks")
    )
    return require(dropped.with_column_renamed("checks", "detail").to_arrow(), DROPPED, "verified_feedback (dropped)")
