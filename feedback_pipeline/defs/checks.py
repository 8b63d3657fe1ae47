"""What stops bad data before it reaches the index or a dataset. All checks here block what comes after them.

What only warns stands in ``quality``.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable

import daft
import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.checking import checker_from
from feedback_pipeline.curation.quality import holds_personal_data, only_reads
from feedback_pipeline.defs.resources import Feedback, today
from feedback_pipeline.example_index.promotion import still_vouched_for
from feedback_pipeline.finetune.publishing.leakage import leakage_of_release
from feedback_pipeline.schemas import STAGES, ContractError, embedded_feedback, require
from feedback_pipeline.store import ids_by_status
from feedback_pipeline.tables.stages import WHOLE

_UNIT_LENGTH_TOLERANCE = 1e-3
_IN_USE = ("verified", "applied")
_NAMED = 5
_PUBLISHED_TEXTS = ("natural_query", "sql", "generated_sql")


def verdict(passed: bool, description: str, **metadata: int | str) -> dg.AssetCheckResult:
    """Return the result of a check whose failure blocks."""
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.ERROR, description=description, metadata=metadata
    )


def partition_of(context: dg.AssetCheckExecutionContext, stage: str, feedback: Feedback) -> str:
    """Return the partition this run made; a check run on its own looks at the newest one."""
    stored = feedback.tables.partitions(stage)
    if WHOLE in stored:
        return WHOLE
    return context.run.tags.get("dagster/partition") or (stored[-1] if stored else today())


def contract_check(stage: str) -> dg.AssetChecksDefinition:
    """Make the check that a stored stage keeps its schema: columns, types and where nulls are forbidden."""

    @dg.asset_check(asset=stage, name="schema_contract", blocking=True)
    def schema_contract(context: dg.AssetCheckExecutionContext, feedback: Feedback) -> dg.AssetCheckResult:
        """The stored table has exactly the columns and types that the next stage relies on."""
        schema = STAGES[stage] or embedded_feedback(feedback.encoder.dimension)
        table = feedback.tables.read_partition(stage, partition_of(context, stage, feedback))
        if table is None:
            return verdict(False, f"{stage} has not been stored")
        try:
            require(table, schema, stage)
        except ContractError as error:
            return verdict(False, str(error))
        if differing := _differing(table.schema, schema):
            return verdict(False, f"{stage}: {differing}")
        return verdict(True, f"{table.num_rows} rows keep the contract", rows=table.num_rows)

    return schema_contract


def _differing(stored: pa.Schema, promised: pa.Schema) -> str:
    """Return what is stored in another type than promised: ``require`` lets everything pass that can be cast."""
    types = {field.name: field.type for field in stored}
    wrong = [f"column {f.name} is {types[f.name]}, not {f.type}" for f in promised if types[f.name] != f.type]
    return "; ".join(wrong + [f"unknown column {name}" for name in stored.names if name not in promised.names])


schema_contracts = [contract_check(stage) for stage in STAGES]


@dg.asset_check(asset="verified_feedback", blocking=True)
def no_unverified_row(feedback: Feedback, verified_feedback: daft.DataFrame) -> dg.AssetCheckResult:
    """Every row is verified or applied in the store right now, whatever the events said when they were read."""
    in_use = set().union(*(ids_by_status(feedback.store, status) for status in _IN_USE))
    ids = verified_feedback.select("feedback_id").to_pydict()["feedback_id"]
    strangers = sorted(set(ids) - in_use)
    return verdict(not strangers, f"{len(strangers)} rows are not verified: {strangers[:5]}", unverified=len(strangers))


def _unpublished(feedback: Feedback, deduped: daft.DataFrame) -> pa.Table:
    """Return the rows of which some text is not in the live index: those that are have passed this check before."""
    table = deduped.select("feedback_ids", "database_id", *_PUBLISHED_TEXTS).to_arrow()
    live = feedback.index.live()
    if live is None:
        return table
    published = feedback.index.open_publication(live).search().select(list(_PUBLISHED_TEXTS)).limit(None).to_arrow()
    known = [pc.is_in(table[name], value_set=published[name].combine_chunks()) for name in _PUBLISHED_TEXTS]
    return table.filter(pc.invert(pc.and_(pc.and_(known[0], known[1]), known[2])))


@dg.asset_check(asset="deduped_feedback", blocking=True)
def no_personal_data(feedback: Feedback, deduped_feedback: daft.DataFrame) -> dg.AssetCheckResult:
    """No text on its way to the index or a dataset holds personal data, secrets or signs that hide text."""
    new = _unpublished(feedback, deduped_feedback).to_pylist()
    dialect_of = _dialects(feedback)
    bad = [row["feedback_ids"][0] for row in new if holds_personal_data(row, dialect_of(row["database_id"]))]
    return _named_verdict(bad, len(new), "hold personal data or hidden signs")


@dg.asset_check(asset="deduped_feedback", blocking=True)
def only_queries(feedback: Feedback, deduped_feedback: daft.DataFrame) -> dg.AssetCheckResult:
    """Every SQL on its way to the index or a dataset is one query that reads and cannot write."""
    new = _unpublished(feedback, deduped_feedback).to_pylist()
    dialect_of = _dialects(feedback)
    bad = [row["feedback_ids"][0] for row in new if not only_reads(row["sql"], dialect_of(row["database_id"]))]
    return _named_verdict(bad, len(new), "do not hold exactly one query that only reads")


def _named_verdict(bad: list[str], looked_at: int, words: str) -> dg.AssetCheckResult:
    description = f"{len(bad)} of {looked_at} new examples {words}"
    if bad:
        description += f", from feedback {', '.join(sorted(bad)[:_NAMED])}; reject it: feedback-pipeline review reject"
    return verdict(not bad, description, new=looked_at, found=len(bad))


def _dialects(feedback: Feedback) -> Callable[[str], str]:
    checker = checker_from(feedback.store, feedback.settings)
    return lambda database_id: checker.facts(database_id).dialect


def key_check(stage: str, key: str) -> dg.AssetChecksDefinition:
    """Make the check that no two rows of a stage share their key."""

    @dg.asset_check(asset=stage, name="no_duplicate_key", blocking=True)
    def no_duplicate_key(feedback: Feedback) -> dg.AssetCheckResult:
        """No two rows have the same key."""
        table = feedback.tables.read_partition(stage)
        keys = _column(table, key)
        repeated = len(keys) - len(keys.unique())
        return verdict(repeated == 0, f"{repeated} rows repeat a {key}", duplicates=repeated)

    return no_duplicate_key


unique_keys = [key_check("verified_feedback", "feedback_id"), key_check("deduped_feedback", "example_id")]


@dg.asset_check(asset="embedded_feedback", blocking=True)
def no_empty_vector(feedback: Feedback) -> dg.AssetCheckResult:
    """Every vector has length 1: none is missing, zero or infinite."""
    column = _column(feedback.tables.read_partition("embedded_feedback"), "vector").combine_chunks()
    if not isinstance(column, pa.FixedSizeListArray):
        return verdict(False, "embedded_feedback has no column of vectors")
    bad = _bad_vectors(column) if len(column) else 0
    return verdict(bad == 0, f"{bad} vectors are missing or not of length 1", bad_vectors=bad)


def _column(table: pa.Table | None, name: str) -> pa.ChunkedArray:
    """Return a column; an empty one where it is missing, which the contract's check reports."""
    if table is None or name not in table.column_names:
        return pa.chunked_array([], pa.string())
    return table[name]


def _bad_vectors(column: pa.FixedSizeListArray) -> int:
    matrix = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    lengths = np.linalg.norm(matrix, axis=1)
    return column.null_count + int((~(np.abs(lengths - 1) < _UNIT_LENGTH_TOLERANCE)).sum())


@dg.asset_check(asset="example_index", blocking=True)
def index_row_count_equals_input(feedback: Feedback) -> dg.AssetCheckResult:
    """The live publication holds as many examples as were embedded, but for those withdrawn since."""
    live = feedback.index.live()
    stored = feedback.tables.read_partition("embedded_feedback")
    expected = still_vouched_for(feedback.store, stored.select(["feedback_ids"])).num_rows if stored else 0
    found = live.rows if live else 0
    return verdict(expected == found, f"{found} rows live, {expected} embedded", live=found, embedded=expected)


@dg.asset_check(asset="finetune_dataset", blocking=True)
def release_rests_on_feedback_in_use(feedback: Feedback) -> dg.AssetCheckResult:
    """Every row of the latest release rests on feedback that is verified or applied right now."""
    release = feedback.releases.latest("text2sql")
    rows = feedback.releases.feedback_behind(release) if release else None
    strangers = 0 if rows is None else rows.num_rows - still_vouched_for(feedback.store, rows).num_rows
    words = f"{strangers} rows rest on feedback that is not in use any more; run again to release without them"
    return verdict(strangers == 0, words, strangers=strangers)


@dg.asset_check(asset="finetune_dataset", blocking=True)
def no_leakage(feedback: Feedback) -> dg.AssetCheckResult:
    """No question, near-duplicate or SQL skeleton of one split of the latest release is in another: none is allowed."""
    release = feedback.releases.latest("text2sql")
    if release is None:
        return verdict(True, "nothing has been released")
    leakage = leakage_of_release(release, across_databases=feedback.settings.group_across_databases)
    counts = {"exact": leakage.exact, "near": leakage.near, "skeleton": leakage.skeleton}
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return verdict(leakage.is_zero, f"rows with a partner in another split: {words}", rows=leakage.rows, **counts)


ALL_CHECKS = [
    *schema_contracts,
    *unique_keys,
    no_unverified_row,
    no_personal_data,
    only_queries,
    no_empty_vector,
    index_row_count_equals_input,
    release_rests_on_feedback_in_use,
    no_leakage,
]
