"""What a person sees of an asset in Dagster: row count, columns, a preview and what was dropped."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

_PREVIEW_ROWS = 5
_PREVIEW_CHARACTERS = 60
_HIDDEN_IN_PREVIEW = {"vector", "user_hash", "checks", "payload", "comment", "chunks", "output", "reason"}
_UNREDACTED = {"natural_query", "generated_sql", "corrected_sql", "answer_sql"}


def table_metadata(table: pa.Table, dropped: pa.Table | None = None, **more: Any) -> dict[str, Any]:
    """Return metadata of a stored table.

    Args:
        table: what the asset holds now.
        dropped: schemas.DROPPED: shown as counts per reason.
        more: further metadata values.
    """
    metadata: dict[str, Any] = {
        "dagster/row_count": table.num_rows,
        "dagster/column_schema": column_schema(table.schema),
        "preview": dg.MetadataValue.md(preview(table)),
        **more,
    }
    if dropped is not None:
        metadata["dropped"] = dg.MetadataValue.json(dropped_by_reason(dropped))
    return metadata


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    """Return an Arrow schema as Dagster's."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(field.name, str(field.type), constraints=dg.TableColumnConstraints(nullable=field.nullable))
            for field in schema
        ]
    )


def preview(table: pa.Table) -> str:
    """Return the first rows as a Markdown table, without vectors and personal columns.

    Dagster keeps it, so where texts are not redacted yet, only their safe forms are shown.
    """
    hidden = _HIDDEN_IN_PREVIEW if _is_redacted(table) else _HIDDEN_IN_PREVIEW | _UNREDACTED
    shown = table.select([name for name in table.column_names if name not in hidden])
    return markdown_table(shown.slice(0, _PREVIEW_ROWS))


def markdown_table(table: pa.Table) -> str:
    """Return all of a small table as Markdown, long texts cut."""
    frame = table.to_pandas()
    return frame.map(_shortened).to_markdown(index=False, disable_numparse=True) if len(frame) else "no rows"


def _is_redacted(table: pa.Table) -> bool:
    return "canonical_question" in table.column_names


def dropped_by_reason(dropped: pa.Table) -> Mapping[str, int]:
    """Return how many rows were dropped for each reason, most frequent first."""
    return dict(Counter(dropped["reason"].to_pylist()).most_common())


def _shortened(value: Any) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= _PREVIEW_CHARACTERS else text[: _PREVIEW_CHARACTERS - 1] + "…"
