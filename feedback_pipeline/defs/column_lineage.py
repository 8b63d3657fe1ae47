"""Which column comes from which, from what users submitted to what a trainer reads: for Dagster's column lineage.

Columns of a dataset's other configs are named ``sft.messages`` and so on. They are rendered from those of ``default``
with the prompt templates, and Dagster is told the columns that those come from in turn.
"""

from collections.abc import Iterable, Mapping

import dagster as dg
import pyarrow as pa

from feedback_pipeline.finetune.content.kind import RERANKER, TEXT2SQL, DatasetKind
from feedback_pipeline.schemas import DEDUPED_FEEDBACK, VERIFIED_FEEDBACK

Origins = Mapping[str, tuple[str, ...]]
"""By column those it is made of, as ``asset.column``."""

_ASKED = ("natural_query", "database_id")

RENDERED_FROM: Origins = {
    "sft.messages": (*_ASKED, "sql"),
    "prompt_completion.prompt": _ASKED,
    "prompt_completion.completion": ("sql",),
    "preference.prompt": _ASKED,
    "preference.chosen": ("sql",),
    "preference.rejected": ("wrong_sql",),
    "kto.prompt": _ASKED,
    "kto.completion": ("sql", "wrong_sql", "rated_down"),
    "kto.label": ("wrong_sql", "rated_down"),
    "repair.prompt": (*_ASKED, "wrong_sql", "wrong_differences"),
    "repair.completion": ("sql",),
}
"""What each training column is made of: columns of ``default``."""


def _same(asset: str, columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    return {column: (f"{asset}.{column}",) for column in columns}


_VERIFIED: Origins = {
    **_same("checked_feedback", set(VERIFIED_FEEDBACK.names)),
    "natural_query": ("checked_feedback.safe_question",),
    "canonical_question": ("checked_feedback.safe_question",),
    "sql": ("checked_feedback.safe_sql",),
    "generated_sql": ("checked_feedback.safe_generated_sql",),
    "verified_at": ("raw_feedback.at", "raw_feedback.event"),
    "evidence": ("checked_feedback.checks",),
    "schema_fingerprint": ("checked_feedback.checks",),
    "results_differ": ("checked_feedback.checks", "checked_feedback.is_error_pair"),
    "difference": ("checked_feedback.checks", "checked_feedback.is_error_pair"),
}
_QUESTION = ("verified_feedback.database_id", "verified_feedback.canonical_question")
_DEDUPED: Origins = {
    **_same("verified_feedback", set(DEDUPED_FEEDBACK.names)),
    "example_id": (*_QUESTION, "verified_feedback.canonical_sql"),
    "weight": ("verified_feedback.user_hash",),
    "contributors": ("verified_feedback.user_hash",),
    "feedback_ids": ("verified_feedback.feedback_id",),
    "cluster_id": (*_QUESTION, "verified_feedback.sql_skeleton"),
    "wrong_sql": ("verified_feedback.generated_sql", "verified_feedback.results_differ"),
    "wrong_differences": ("verified_feedback.difference", "verified_feedback.results_differ"),
}
_DEFAULT: Origins = {
    **_same("deduped_feedback", TEXT2SQL.configs[0].schema.names),
    "row_id": ("deduped_feedback.example_id",),
    "difficulty": ("deduped_feedback.sql_skeleton",),
    "rated_down": ("raw_interactions.output", "raw_interactions.feedback", "checked_feedback.generated_sql"),
    "rated_in": ("raw_interactions.interaction_id", "checked_feedback.feedback_id"),
}
_QUERIES: Origins = _same(RERANKER.stage, RERANKER.configs[0].schema.names)
_SIDES = ("positives", "negatives")
RENDERED_FROM_QUERIES: Origins = {
    "triplet.anchor": ("query",),
    "triplet.positive": ("positives",),
    "triplet.negative": ("negatives",),
    "labeled_pair.passage": _SIDES,
    "labeled_pair.label": _SIDES,
    "listwise.passages": _SIDES,
    "listwise.labels": _SIDES,
    "listwise.ranks": ("positive_ranks", "negative_ranks"),
}
"""What each training column of the reranker's dataset is made of, where ``default`` has none of that name."""

_MADE_OF: Mapping[str, tuple[Origins, Origins]] = {
    TEXT2SQL.name: (_DEFAULT, RENDERED_FROM),
    RERANKER.name: (_QUERIES, RENDERED_FROM_QUERIES),
}


def _dataset(kind: DatasetKind) -> Origins:
    default, rendered = _MADE_OF[kind.name]
    columns = {
        column: tuple(dict.fromkeys(one for origin in origins for one in default[origin]))
        for column, origins in rendered.items()
    }
    return {**default, **columns}


LINEAGE: Mapping[str, Origins] = {
    "verified_feedback": {name: _VERIFIED[name] for name in VERIFIED_FEEDBACK.names},
    "deduped_feedback": {name: _DEDUPED[name] for name in DEDUPED_FEEDBACK.names},
    TEXT2SQL.asset: _dataset(TEXT2SQL),
    RERANKER.asset: _dataset(RERANKER),
}


def column_lineage(asset: str) -> dict[str, dg.TableColumnLineage]:
    """Return the metadata that tells where the columns of an asset come from."""
    deps = {
        column: [dg.TableColumnDep(*origin.split(".")) for origin in origins]
        for column, origins in LINEAGE[asset].items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def dataset_columns(kind: DatasetKind = TEXT2SQL) -> dg.TableSchema:
    """Return the columns of all configs of a dataset: those of ``default`` as they are, others as ``config.column``.

    Each says in words what it is made of: only Dagster+ draws the lineage of columns.
    """
    default, rendered_from = _MADE_OF[kind.name]
    canonical, *rendered = kind.configs
    columns = [_column(field.name, field, f"From {_named(default[field.name])}.") for field in canonical.schema]
    for config in rendered:
        for field in config.schema:
            name = f"{config.name}.{field.name}"
            if field.name not in canonical.schema.names:
                columns.append(
                    _column(name, field, f"Rendered from {_named(rendered_from[name])} of the config default.")
                )
    return dg.TableSchema(columns=columns)


def _named(names: Iterable[str]) -> str:
    return ", ".join(names)


def _column(name: str, field: pa.Field, description: str) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=field.nullable)
    return dg.TableColumn(name, str(field.type), description=description, constraints=constraints)
