"""The Arrow schema of every stage: the contracts between rooms.

Times are microseconds UTC, text is UTF-8, a vector is a fixed-size list of float32. ``require`` is the only gate: stage
functions call it on what they return, asset checks call it on what was stored.
"""

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")

RAW_FEEDBACK = pa.schema(
    [
        pa.field("event_seq", pa.int64(), nullable=False),
        pa.field("feedback_id", pa.string(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("actor", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("payload", pa.string()),
        pa.field("at", TIMESTAMP, nullable=False),
    ]
)
"""One row per event of the day, as it happened; ``event_seq`` orders events across days, ``payload`` is JSON."""

RAW_INTERACTIONS = pa.schema(
    [
        pa.field("interaction_id", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("database_id", pa.string()),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("output", pa.string()),
        pa.field("model", pa.string()),
        pa.field("user_hash", pa.string()),
        pa.field("feedback", pa.int8()),
        pa.field("feedback_reason", pa.string()),
        pa.field("created_at", TIMESTAMP, nullable=False),
        pa.field("rated_at", TIMESTAMP),
        pa.field(
            "chunks",
            pa.list_(
                pa.struct(
                    [
                        pa.field("chunk_id", pa.string()),
                        pa.field("text", pa.string()),
                        pa.field("score", pa.float64()),
                        pa.field("rank", pa.int32()),
                        pa.field("in_scope", pa.bool_()),
                    ]
                )
            ),
        ),
    ]
)
"""One row per interaction recorded or rated on the day, with the chunks it retrieved in rank order."""

SUBMISSIONS = pa.schema(
    [
        pa.field("feedback_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("generated_sql", pa.string()),
        pa.field("corrected_sql", pa.string()),
        pa.field("rating", pa.int8()),
        pa.field("comment", pa.string()),
        pa.field("user_hash", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("created_at", TIMESTAMP, nullable=False),
    ]
)
"""What a user submitted, unchanged: the input of the checks."""

CHECK_RESULTS = pa.schema(
    [
        pa.field("passed", pa.bool_(), nullable=False),
        pa.field("failed_check", pa.string()),
        pa.field("answer_sql", pa.string()),
        pa.field("canonical_sql", pa.string()),
        pa.field("sql_skeleton", pa.string()),
        pa.field("is_error_pair", pa.bool_(), nullable=False),
        pa.field("results_equal", pa.bool_()),
        pa.field("result_digest", pa.string()),
        pa.field("safe_question", pa.string()),
        pa.field("safe_sql", pa.string()),
        pa.field("safe_generated_sql", pa.string()),
        pa.field("redactions", pa.int32(), nullable=False),
        pa.field("flags", pa.list_(pa.string()), nullable=False),
        pa.field("checks_key", pa.string(), nullable=False),
        pa.field("checks", pa.string(), nullable=False),
    ]
)
"""What the automatic checks found. ``checks`` is the evidence as canonical JSON.

``failed_check`` names the first check that failed.
``answer_sql`` is the SQL the feedback vouches for, tidied; null where there is none.
``results_equal`` tells whether generated and corrected SQL give the same rows, null where it cannot be told;
``result_digest`` identifies the rows of ``answer_sql``, null where it was not run or its rows say nothing.
The ``safe_`` texts are what may leave the store: personal data and secrets replaced by placeholders (``redactions``
counts them), signs that hide or reorder text removed. ``canonical_sql`` is that of ``safe_sql``.
``flags`` name what a person should look at before anybody relies on the feedback, sorted.
"""

CHECKED_FEEDBACK = pa.schema([*SUBMISSIONS, *CHECK_RESULTS])

EVIDENCE_LEVELS = ("parsed", "resolved", "executed")
"""How far an answer has been proven, weakest first: it reads as SQL, its names are in the schema, it has been run."""

EVIDENCE = (
    pa.field("evidence", pa.string(), nullable=False),
    pa.field("schema_fingerprint", pa.string()),
    pa.field("results_differ", pa.bool_()),
    pa.field("difference", pa.string()),
)
"""What is known of a correction beyond its words (``curation.evidence``).

``evidence`` is how far the answer has been proven (EVIDENCE_LEVELS), ``schema_fingerprint`` identifies the schema.
``results_differ`` tells whether generated and verified SQL have been seen to give different results, null where it
cannot be told; ``difference`` says in words what was seen.
"""

VERIFIED_FEEDBACK = pa.schema(
    [
        pa.field("feedback_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("canonical_question", pa.string(), nullable=False),
        pa.field("sql", pa.string(), nullable=False),
        pa.field("canonical_sql", pa.string(), nullable=False),
        pa.field("sql_skeleton", pa.string(), nullable=False),
        pa.field("generated_sql", pa.string()),
        pa.field("is_error_pair", pa.bool_(), nullable=False),
        pa.field("result_digest", pa.string()),
        pa.field("user_hash", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("created_at", TIMESTAMP, nullable=False),
        pa.field("verified_at", TIMESTAMP, nullable=False),
        *EVIDENCE,
    ]
)
"""Corrections a reviewer stands behind, in their safe texts; ``generated_sql`` is kept only as evidence.

``verified_at`` is when the decision fell that holds now."""

EXAMPLES = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("natural_query", pa.string(), nullable=False),
        pa.field("canonical_question", pa.string(), nullable=False),
        pa.field("sql", pa.string(), nullable=False),
        pa.field("canonical_sql", pa.string(), nullable=False),
        pa.field("sql_skeleton", pa.string(), nullable=False),
        pa.field("generated_sql", pa.string()),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("feedback_ids", pa.list_(pa.string()), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),
    ]
)
"""What retrieval needs of a distinct (database, canonical question, canonical SQL).

``weight`` counts distinct users, each with at most their capped share (``curation.weighting``)."""

DEDUPED_FEEDBACK = pa.schema(
    [
        *EXAMPLES,
        pa.field("contributors", pa.int32(), nullable=False),
        pa.field("verified_at", TIMESTAMP, nullable=False),
        *EVIDENCE,
        pa.field("wrong_sql", pa.list_(pa.string()), nullable=False),
        pa.field("wrong_differences", pa.list_(pa.string()), nullable=False),
    ]
)
"""One row per distinct example, with what a dataset tells of where it comes from.

``contributors`` counts distinct users, all feedback without a user as one; ``verified_at`` is when the first of its
feedback was verified. ``evidence`` and ``schema_fingerprint`` are those of the feedback that speaks,
``results_differ`` and ``difference`` those of the one that ``generated_sql`` is from. ``wrong_sql`` are wrong
answers that were seen to give other results, the earliest few first, ``wrong_differences`` what was seen of each."""

DROPPED = pa.schema(
    [
        pa.field("feedback_id", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
    ]
)
"""What a stage left out and why: every result object carries one of these beside the kept rows."""


FEEDBACK_METRICS = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("database_id", pa.string(), nullable=False),
        pa.field("feedback_ids", pa.list_(pa.string()), nullable=False),
        pa.field("queries", pa.int64(), nullable=False),
        pa.field("withheld", pa.int64(), nullable=False),
        pa.field("up", pa.int64(), nullable=False),
        pa.field("down", pa.int64(), nullable=False),
        pa.field("corrected", pa.int64(), nullable=False),
        pa.field("withheld_up", pa.int64(), nullable=False),
        pa.field("withheld_down", pa.int64(), nullable=False),
        pa.field("withheld_corrected", pa.int64(), nullable=False),
        pa.field("judged_with", pa.int64(), nullable=False),
        pa.field("good_with", pa.int64(), nullable=False),
        pa.field("judged_without", pa.int64(), nullable=False),
        pa.field("good_without", pa.int64(), nullable=False),
        pa.field("lift", pa.float64()),
        pa.field("lift_low", pa.float64()),
        pa.field("lift_high", pa.float64()),
        pa.field("harmful", pa.bool_(), nullable=False),
    ]
)
"""One row per example that any question was ever given or went without, and whose feedback still exists.

``queries`` were given it, from ``withheld`` look-ups it was kept back. ``up`` to ``corrected`` are the judged answers
after its use, ``withheld_…`` those that went without. ``judged_with`` to ``good_without`` are the answers of both kinds
that can be compared; ``lift`` is the difference in the share of good ones with its 95 % interval, null where nothing
can be compared. ``harmful``: it is proposed for retirement where it is still in use. No texts.
"""


VALUES = pa.list_(
    pa.struct(
        [
            pa.field("text", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("column", pa.string()),
            pa.field("start", pa.int32(), nullable=False),
            pa.field("end", pa.int32(), nullable=False),
        ]
    )
)
"""The literals of an SQL text (``curation.sql_values``): text, column compared with, place."""

MASKED_FEEDBACK = pa.schema(
    [
        *EXAMPLES,
        pa.field("masked_query", pa.string(), nullable=False),
        pa.field("values", VALUES, nullable=False),
    ]
)
"""Examples with the question of which the values are masked, and the values of the SQL."""


def embedded_feedback(dimension: int) -> pa.Schema:
    """Masked rows plus unit-length vectors of the question and the masked question: ``dimension`` float32 each."""
    vector = pa.list_(pa.float32(), dimension)
    vectors = [pa.field(name, vector, nullable=False) for name in ("vector", "masked_vector")]
    return pa.schema([*MASKED_FEEDBACK, *vectors])


RERANKER_QUERIES = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("positives", pa.list_(pa.string()), nullable=False),
        pa.field("positive_weights", pa.list_(pa.float64()), nullable=False),
        pa.field("positive_ranks", pa.list_(pa.float64()), nullable=False),
        pa.field("positive_interactions", pa.list_(pa.list_(pa.string())), nullable=False),
        pa.field("negatives", pa.list_(pa.string()), nullable=False),
        pa.field("negative_weights", pa.list_(pa.float64()), nullable=False),
        pa.field("negative_ranks", pa.list_(pa.float64()), nullable=False),
        pa.field("negative_interactions", pa.list_(pa.list_(pa.string())), nullable=False),
        pa.field("negative_origins", pa.list_(pa.string()), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("contributors", pa.int32(), nullable=False),
        pa.field("interaction_ids", pa.list_(pa.string()), nullable=False),
    ]
)
"""What users' thumbs say of the passages of one query: one row per source and canonical query, ordered by ``row_id``.

``row_id`` is the first 16 hexadecimal digits of a SHA-256 of both; ``source`` is the knowledge base the question was
asked of (the interaction's ``database_id``), empty where none is known. ``cluster_id`` is shared by near-duplicate
queries. ``positives`` are passages users found helpful, ``negatives`` those they did not (``negative_origins``:
``rated`` with a thumb down, or ``surfaced`` beside a thumb up); each list is ordered by weight, the heaviest first,
then by text. Weights count distinct users, less where a passage was surfaced further down. ``…_ranks`` is the mean
place at which a passage was surfaced for the query, 1 being the first; ``…_interactions`` are those it rests on.
``weight`` is at most 1: the smaller of the heaviest positive and the heaviest negative, 0 where one side is empty.
"""

RERANKER_DROPPED = pa.schema(
    [
        pa.field("interaction_id", pa.int64(), nullable=False),
        pa.field("rank", pa.int32()),
        pa.field("reason", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    ]
)
"""Passages of rated interactions that became nothing, and why; without ``rank`` it is the interaction as a whole."""


RERANKER_VOICES = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("user", pa.int64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
    ]
)
"""Who has made triplets of what, without texts and hashes: see ``reranker.effective.Voices``."""


class ContractError(ValueError):
    """A stage produced something other than its schema promises."""


def require(table: pa.Table, schema: pa.Schema, stage: str) -> pa.Table:
    """Return ``table`` cast to ``schema`` or raise ContractError naming stage and column."""
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise ContractError(f"{stage}: missing column(s) {', '.join(missing)}")
    try:
        cast = table.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise ContractError(f"{stage}: {error}") from error
    for field in schema:
        if not field.nullable and cast[field.name].null_count:
            raise ContractError(f"{stage}: column {field.name} holds {cast[field.name].null_count} null(s)")
    return cast


STAGES: dict[str, pa.Schema | None] = {
    "raw_feedback": RAW_FEEDBACK,
    "raw_interactions": RAW_INTERACTIONS,
    "checked_feedback": CHECKED_FEEDBACK,
    "verified_feedback": VERIFIED_FEEDBACK,
    "deduped_feedback": DEDUPED_FEEDBACK,
    "embedded_feedback": None,
    "feedback_metrics": FEEDBACK_METRICS,
}
"""The stored stages in order of the journey; the schema of ``embedded_feedback`` depends on the model's dimension."""
