"""What tells one kind of dataset from another. How versions are written, found and read is the same for all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from feedback_pipeline.finetune.content import (
    balance,
    configs,
    reranker_configs,
    reranker_rows,
    rows,
    selection,
    splits,
)
from feedback_pipeline.finetune.content.balance import Composition
from feedback_pipeline.finetune.content.configs import Config
from feedback_pipeline.finetune.content.prompts import Prompts
from feedback_pipeline.finetune.content.reranker_rows import RerankerPolicy
from feedback_pipeline.finetune.content.selection import ReleasePolicy, Selection
from feedback_pipeline.finetune.content.splits import Keys
from feedback_pipeline.schemas import RERANKER_QUERIES

Policy = ReleasePolicy | RerankerPolicy


class UnknownKindError(LookupError):
    """A manifest is of a kind of dataset that this version of the software does not know; the text names it."""


@dataclass(frozen=True)
class DatasetKind:
    """One kind of dataset.

    Attributes:
        name: as ``kind`` in a manifest tells it; it is left out for TEXT2SQL, which was there first.
        asset: which releases it, in Dagster, and under whose name stands what its thresholds left out.
        stage: whose table is released; one row becomes one row.
        key: the column of that table that becomes ``row_id``.
        rows: the canonical rows.
        configs: what they are rendered to; the first is ``default``, the canonical rows themselves.
        rendering_version: counts changes of what is rendered from the same rows.
        is_prompted: whether rows are rendered with prompts, which are then a file of the release and in its digest.
        repeating: columns that Parquet's dictionaries make smaller.
        shard_rows: rows of a file, and of what is held at a time; None: as many as ``layout.SHARD_ROWS``.
        card: the template of its card.
        origins: the column that names what a row rests on.
        place: the column that tells what a question is asked of.
        question: the column of the question.
        answer: the column that shows what is right; of a list the first.
        titles: what people are shown above place, question and answer.
        has_one_answer: whether a question has one right answer at each place, so that another takes its row's.
        from_stage: from rows of the stage to canonical rows.
        completed: from canonical rows as any format stored them to those of now.
        selected_by: the columns that ``select`` looks at under a policy.
        select: chooses rows of the stage.
        keyed_by: the columns that ``keys_of`` looks at.
        keys_of: what rows are recognised by.
        balanced_by: the columns that ``made_of`` looks at.
        made_of: what rows are made of.
        measured_by: the columns that leakage is measured on, the key first.
    """

    name: str
    asset: str
    stage: str
    key: str
    rows: pa.Schema
    configs: tuple[Config, ...]
    rendering_version: int
    is_prompted: bool
    repeating: Sequence[str]
    shard_rows: int | None
    card: str
    origins: str
    place: str
    question: str
    answer: str
    titles: tuple[str, str, str]
    has_one_answer: bool
    from_stage: Callable[[pa.Table], pa.Table]
    completed: Callable[[pa.Table], pa.Table]
    selected_by: Callable[[Any], list[str]]
    select: Callable[..., Selection]
    keyed_by: tuple[str, ...]
    keys_of: Callable[[pa.Table], Keys]
    balanced_by: tuple[str, ...]
    made_of: Callable[[pa.Table], Composition]
    measured_by: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns without which some config has nothing to show of a row."""
        return tuple(dict.fromkeys(name for config in self.configs for name in config.needs))

    def fingerprints(self, table: pa.Table) -> np.ndarray:
        """Return ``rows.fingerprints`` of canonical rows."""
        return rows.fingerprints(table, self.rows)

    def rendering(self, release_format: int, prompts: Prompts) -> dict[str, Any]:
        """Return what decides, besides rows and splits, what is in a release's files."""
        told = {"prompts": prompts.sha256} if self.is_prompted else {"kind": self.name}
        return {"format": release_format, "rendering": self.rendering_version, **told}


TEXT2SQL = DatasetKind(
    name="text2sql",
    asset=selection.ASSET,
    stage="deduped_feedback",
    key="example_id",
    rows=rows.DATASET_ROWS,
    configs=configs.CONFIGS,
    rendering_version=configs.RENDERING_VERSION,
    is_prompted=True,
    repeating=configs.REPEATING,
    shard_rows=None,
    card="card.md.j2",
    origins="feedback_ids",
    place="database_id",
    question="natural_query",
    answer="sql",
    titles=("database", "question", "SQL"),
    has_one_answer=True,
    from_stage=rows.dataset_rows,
    completed=rows.as_dataset_rows,
    selected_by=selection.selected_by,
    select=selection.select,
    keyed_by=splits.KEYED_BY,
    keys_of=splits.keys_of,
    balanced_by=balance.BALANCED_BY,
    made_of=balance.made_of,
    measured_by=("example_id", "database_id", "natural_query", "canonical_question", "sql_skeleton"),
)
"""Questions and the SQL that answers them, from corrections."""

RERANKER = DatasetKind(
    name="reranker",
    asset=reranker_rows.ASSET,
    stage=reranker_rows.STAGE,
    key="row_id",
    rows=RERANKER_QUERIES,
    configs=reranker_configs.CONFIGS,
    rendering_version=reranker_configs.RENDERING_VERSION,
    is_prompted=False,
    repeating=reranker_configs.REPEATING,
    # A row has all passages of a query, and its triplets repeat them.
    shard_rows=2_048,
    card="reranker_card.md.j2",
    origins="interaction_ids",
    place="source",
    question="query",
    answer="positives",
    titles=("source", "query", "most helpful passage"),
    has_one_answer=False,
    from_stage=reranker_rows.as_queries,
    completed=reranker_rows.as_queries,
    selected_by=reranker_rows.queries_selected_by,
    select=reranker_rows.select_queries,
    keyed_by=reranker_rows.KEYED_BY,
    keys_of=reranker_rows.keys_of_queries,
    balanced_by=reranker_rows.BALANCED_BY,
    made_of=reranker_rows.made_of_queries,
    measured_by=("row_id", "query"),
)
"""Queries and passages with what users' thumbs say of them."""

KINDS: Mapping[str, DatasetKind] = {kind.name: kind for kind in (TEXT2SQL, RERANKER)}


def kind_of(manifest: Mapping[str, Any]) -> DatasetKind:
    """Return the kind of dataset that a manifest describes.

    Raises:
        UnknownKindError: a later version of the software published it.
    """
    name = manifest.get("kind", TEXT2SQL.name)
    if name not in KINDS:
        raise UnknownKindError(
            f"{manifest.get('name')} v{manifest.get('version')} is a dataset of the kind {name!r}, which this version "
            "of feedback-pipeline does not know; install a later one"
        )
    return KINDS[name]
