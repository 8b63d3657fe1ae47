"""The one IO manager: Arrow tables in, lazy Daft frames out, Parquet on any fsspec root between them."""

import json
from typing import Any

import daft
import dagster as dg
import pyarrow as pa

from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.schemas import STAGES
from feedback_pipeline.tables.stages import WHOLE

_NOTES = b"notes"


def with_notes(table: pa.Table, **notes: Any) -> pa.Table:
    """Return ``table`` carrying notes that will stand beside it when it is stored (see StoredTable.notes)."""
    return table.replace_schema_metadata({_NOTES: json.dumps(notes, sort_keys=True)})


class StageTableIOManager(dg.ConfigurableIOManager):
    """Stores an asset's table under its name and partition; content that has not changed is not written again."""

    feedback: dg.ResourceDependency[Feedback]

    def handle_output(self, context: dg.OutputContext, obj: pa.Table) -> None:
        """Store one partition (or the whole) of an asset."""
        partition = context.asset_partition_key if context.has_asset_partitions else WHOLE
        notes = json.loads((obj.schema.metadata or {}).get(_NOTES, b"{}"))
        bare = obj.replace_schema_metadata(None)
        stored = self.feedback.tables.write(context.asset_key.path[-1], bare, partition, notes)
        context.add_output_metadata({"path": stored.path, "digest": stored.digest})

    def load_input(self, context: dg.InputContext) -> daft.DataFrame:
        """Return all stored partitions of an asset, or the one that the reading asset is partitioned for."""
        stage = context.asset_key.path[-1]
        schema = STAGES[stage] or pa.schema([])
        if context.has_asset_partitions and len(context.asset_partition_keys) == 1:
            table = self.feedback.tables.read_partition(stage, context.asset_partition_key)
            return daft.from_arrow(schema.empty_table() if table is None else table)
        return self.feedback.tables.read(stage, schema)
