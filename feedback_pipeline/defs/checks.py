"""What stops bad data before it reaches the index or a dataset. All checks here block what comes after them."""

import daft
import dagster as dg
import numpy as np
import pyarrow as pa

from feedback_pipeline.defs.resources import Feedback, today
from feedback_pipeline.schemas import STAGES, ContractError, embedded_feedback, require
from feedback_pipeline.store import ids_by_status
from feedback_pipeline.tables.stages import WHOLE

_UNIT_LENGTH_TOLERANCE = 1e-3
_IN_USE = ("verified", "applied")


def _verdict(passed: bool, description: str, **metadata: int | str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.ERROR, description=description, metadata=metadata
    )


def _partition_of(context: dg.AssetCheckExecutionContext, stage: str, feedback: Feedback) -> str:
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
        table = feedback.tables.read_partition(stage, _partition_of(context, stage, feedback))
        if table is None:
            return _verdict(False, f"{stage} has not been stored")
        try:
            require(table, schema, stage)
        except ContractError as error:
            return _verdict(False, str(error))
        if differing := _differing(table.schema, schema):
            return _verdict(False, f"{stage}: {differing}")
        return _verdict(True, f"{table.num_rows} rows keep the contract", rows=table.num_rows)

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
    return _verdict(
        not strangers, f"{len(strangers)} rows are not verified: {strangers[:5]}", unverified=len(strangers)
    )


def key_check(stage: str, key: str) -> dg.AssetChecksDefinition:
    """Make the check that no two rows of a stage share their key."""

    @dg.asset_check(asset=stage, name="no_duplicate_key", blocking=True)
    def no_duplicate_key(feedback: Feedback) -> dg.AssetCheckResult:
        """No two rows have the same key."""
        table = feedback.tables.read_partition(stage)
        keys = _column(table, key)
        repeated = len(keys) - len(keys.unique())
        return _verdict(repeated == 0, f"{repeated} rows repeat a {key}", duplicates=repeated)

    return no_duplicate_key


unique_keys = [key_check("verified_feedback", "feedback_id"), key_check("deduped_feedback", "example_id")]


@dg.asset_check(asset="embedded_feedback", blocking=True)
def no_empty_vector(feedback: Feedback) -> dg.AssetCheckResult:
    """Every vector has length 1: none is missing, zero or infinite."""
    column = _column(feedback.tables.read_partition("embedded_feedback"), "vector").combine_chunks()
    if not isinstance(column, pa.FixedSizeListArray):
        return _verdict(False, "embedded_feedback has no column of vectors")
    bad = _bad_vectors(column) if len(column) else 0
    return _verdict(bad == 0, f"{bad} vectors are missing or not of length 1", bad_vectors=bad)


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
    """The live publication holds exactly as many examples as were embedded."""
    live = feedback.index.live()
    stored = feedback.tables.describe("embedded_feedback")
    expected, found = (stored.rows if stored else 0), (live.rows if live else 0)
    return _verdict(expected == found, f"{found} rows live, {expected} embedded", live=found, embedded=expected)


ALL_CHECKS = [*schema_contracts, *unique_keys, no_unverified_row, no_empty_vector, index_row_count_equals_input]
