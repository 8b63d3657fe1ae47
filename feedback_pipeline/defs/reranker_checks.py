"""What stops bad data before it reaches a reranker dataset, and from there a training. All of it blocks."""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feedback_pipeline.defs.checks import verdict
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.finetune.publishing.leakage import leakage_of_release
from feedback_pipeline.reranker.ratings.queries import safe_queries
from feedback_pipeline.reranker_ratings import STAGE
from feedback_pipeline.reranker_release import NAME
from feedback_pipeline.schemas import RERANKER_QUERIES
from feedback_pipeline.store.feed import rated_interactions
from feedback_pipeline.tables.files import filesystem

_NAMED = 5


@dg.asset_check(asset="reranker_triplets", name="schema_contract", blocking=True)
def triplets_contract(feedback: Feedback) -> dg.AssetCheckResult:
    """The stored table has exactly the columns and types that the release relies on, and no two rows of one key."""
    stored = feedback.tables.describe(STAGE)
    if stored is None:
        return verdict(False, f"{STAGE} has not been stored")
    fs, inner = filesystem(stored.path)
    with fs.open(inner, "rb") as file:
        schema = pq.read_schema(file)
    if not schema.equals(RERANKER_QUERIES):
        return verdict(False, f"{STAGE}: stored with columns {', '.join(schema.names)} of other names or types")
    keys = _column(feedback, "row_id")
    repeated = len(keys) - len(keys.unique())
    return verdict(repeated == 0, f"{stored.rows} rows, {repeated} repeat a row_id", rows=stored.rows)


@dg.asset_check(asset="reranker_triplets", name="no_personal_data", blocking=True)
def no_personal_data_in_queries(feedback: Feedback) -> dg.AssetCheckResult:
    """No query on its way to the dataset holds personal data, secrets or signs that hide text."""
    queries = _column(feedback, "query").to_pylist()
    ids = _column(feedback, "row_id").to_pylist()
    cleaned = safe_queries(queries)
    bad = [row_id for row_id, query, safe in zip(ids, queries, cleaned, strict=True) if query != safe]
    words = f"{len(bad)} of {len(queries)} queries hold personal data or hidden signs"
    return verdict(not bad, words + (f": rows {', '.join(bad[:_NAMED])}" if bad else ""), found=len(bad))


@dg.asset_check(asset="reranker_dataset", name="release_rests_on_ratings_in_use", blocking=True)
def release_rests_on_ratings_in_use(feedback: Feedback) -> dg.AssetCheckResult:
    """Every row of the latest release rests on rated interactions that the store still has."""
    release = feedback.releases.latest(NAME)
    if release is None:
        return verdict(True, "nothing has been released")
    ids = pc.unique(pc.list_flatten(feedback.releases.feedback_behind(release)["interaction_ids"]))
    known = pa.array([str(one) for one in sorted(rated_interactions(feedback.store, "rag"))], pa.string())
    strangers = int(pc.sum(pc.invert(pc.is_in(ids, value_set=known))).as_py() or 0)
    words = f"rows rest on {strangers} interactions that are gone or not rated any more; run again to release without"
    return verdict(strangers == 0, words, strangers=strangers)


@dg.asset_check(asset="reranker_dataset", name="no_leakage", blocking=True)
def no_query_leakage(feedback: Feedback) -> dg.AssetCheckResult:
    """No query or near-duplicate of one in one split of the latest release is in another."""
    release = feedback.releases.latest(NAME)
    if release is None:
        return verdict(True, "nothing has been released")
    leakage = leakage_of_release(release)
    counts = {"exact": leakage.exact, "near": leakage.near}
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return verdict(leakage.is_zero, f"queries with a partner in another split: {words}", rows=leakage.rows, **counts)


def _column(feedback: Feedback, name: str) -> pa.ChunkedArray:
    parts = [batch[name] for batch in feedback.tables.batches(STAGE, [name])]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())


RERANKER_CHECKS = [
    triplets_contract,
    no_personal_data_in_queries,
    release_rests_on_ratings_in_use,
    no_query_leakage,
]
