"""The configs of a release: the same rows in the formats that trainers read (TRL's "Dataset formats and types").

Each config is rendered from rows of DATASET_ROWS alone, so what did not change there does not change here.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.finetune.difficulty import difficulties
from feedback_pipeline.finetune.prompts import Prompts
from feedback_pipeline.finetune.rows import DATASET_ROWS

MESSAGES = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))

PROVENANCE = pa.schema(
    [
        DATASET_ROWS.field(name)
        for name in (
            *("row_id", "feedback_ids", "database_id", "weight", "cluster_id", "verified_at"),
            *("schema_fingerprint", "evidence"),
        )
    ]
)
"""The columns that every config has: where a row comes from, and how far it can be trusted."""

RENDERING_VERSION = 1
"""Counts changes of what is rendered from the same rows and templates."""


def _training(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    columns = [pa.field(name, kind, nullable=False) for name, kind in fields]
    return pa.schema([*columns, *PROVENANCE])


@dataclass(frozen=True)
class Config:
    """One format of the rows.

    Attributes:
        name: as ``datasets.load_dataset(path, name)`` takes it.
        schema: columns of the training format, then PROVENANCE.
        render: from rows of DATASET_ROWS to this schema, in their order; rows with nothing to show are left out.
        title: what it is, for the card.
        only_different: only rows of which the wrong SQL was seen to give other results have something to show.
    """

    name: str
    schema: pa.Schema
    render: Callable[[pa.Table, Prompts], pa.Table]
    title: str
    only_different: bool = False


def _default(rows: pa.Table, _prompts: Prompts) -> pa.Table:
    return _table(DEFAULT, rows, difficulty=difficulties(rows["sql_skeleton"]))


def _sft(rows: pa.Table, prompts: Prompts) -> pa.Table:
    system, user = prompts.fill("system", rows), prompts.fill("user", rows)
    return _table(SFT, rows, messages=_messages(system=system, user=user, assistant=rows["sql"]))


def _prompt_completion(rows: pa.Table, prompts: Prompts) -> pa.Table:
    # The line break keeps tokenizers from joining the last sign of the prompt to the first of the completion.
    completion = pc.binary_join_element_wise("\n", rows["sql"], "")
    return _table(PROMPT_COMPLETION, rows, prompt=prompts.fill("prompt", rows), completion=completion)


def _preference(rows: pa.Table, prompts: Prompts) -> pa.Table:
    rows = truly_different(rows)
    return _table(
        PREFERENCE,
        rows,
        prompt=_question(rows, prompts),
        chosen=_messages(assistant=rows["sql"]),
        rejected=_messages(assistant=rows["generated_sql"]),
    )


def _kto(rows: pa.Table, prompts: Prompts) -> pa.Table:
    answers = rated_answers(rows)
    return _table(
        KTO,
        answers,
        prompt=_question(answers, prompts),
        completion=_messages(assistant=answers["completion"]),
        label=answers["label"],
    )


def _repair(rows: pa.Table, prompts: Prompts) -> pa.Table:
    rows = truly_different(rows)
    asked = rows.append_column("wrong_sql", rows["generated_sql"])
    prompt = _messages(system=prompts.fill("system", asked), user=prompts.fill("repair", asked))
    return _table(REPAIR, rows, prompt=prompt, completion=_messages(assistant=rows["sql"]))


def truly_different(rows: pa.Table) -> pa.Table:
    """Return the rows whose wrong SQL was seen to give other results than the verified one."""
    return rows.filter(pc.fill_null(rows["results_differ"], False))


def rated_answers(rows: pa.Table) -> pa.Table:
    """Return each answer of which it is known whether users want it: ``rows`` with ``completion`` and ``label``.

    Wanted is the verified SQL; unwanted the wrong one that was seen to give other results, and what users rated down.
    """
    wrong = truly_different(rows)
    down = rows.take(pc.list_parent_indices(rows["rated_down"].combine_chunks()))
    parts = [
        _answers(rows, rows["sql"], wanted=True),
        _answers(wrong, wrong["generated_sql"], wanted=False),
        _answers(down, rows["rated_down"].combine_chunks().flatten(), wanted=False),
    ]
    answers = pa.concat_tables(parts)
    order = np.argsort(answers["row_id"].to_numpy(zero_copy_only=False), kind="stable")
    return answers.take(pa.array(order))


def _answers(rows: pa.Table, completions: pa.ChunkedArray | pa.Array, *, wanted: bool) -> pa.Table:
    labelled = rows.append_column("completion", completions)
    return labelled.append_column("label", pa.repeat(pa.scalar(wanted), rows.num_rows))


def _question(rows: pa.Table, prompts: Prompts) -> pa.Array:
    return _messages(system=prompts.fill("system", rows), user=prompts.fill("user", rows))


def _messages(**contents: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return for each row the messages of these roles, in this order."""
    columns = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in contents.values()]
    rows, count = len(columns[0]), len(columns)
    # Row by row, not role by role: 0, rows, 2 rows, 1, rows + 1, …
    order = (np.arange(rows)[:, None] + rows * np.arange(count)).reshape(-1)
    content = pa.concat_arrays(columns).take(pa.array(order))
    roles = pa.array(list(contents)).take(pa.array(np.tile(np.arange(count), rows)))
    structs = pa.StructArray.from_arrays([roles, content], fields=list(MESSAGES.value_type))
    return pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32) * count), structs)


def _table(schema: pa.Schema, rows: pa.Table, **training: pa.Array | pa.ChunkedArray) -> pa.Table:
    columns = {name: training[name] if name in training else rows[name] for name in schema.names}
    return pa.table(columns, schema=schema)


DEFAULT = DATASET_ROWS.append(pa.field("difficulty", pa.string(), nullable=False))
SFT = _training(("messages", MESSAGES))
PROMPT_COMPLETION = _training(("prompt", pa.string()), ("completion", pa.string()))
PREFERENCE = _training(("prompt", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES))
KTO = _training(("prompt", MESSAGES), ("completion", MESSAGES), ("label", pa.bool_())).append(
    DATASET_ROWS.field("rated_in")
)
REPAIR = _training(("prompt", MESSAGES), ("completion", MESSAGES))

CONFIGS = (
    Config("default", DEFAULT, _default, "every row with all its columns"),
    Config("sft", SFT, _sft, "chat messages for supervised fine-tuning"),
    Config("prompt_completion", PROMPT_COMPLETION, _prompt_completion, "plain text for supervised fine-tuning"),
    Config("preference", PREFERENCE, _preference, "pairs for DPO: the verified SQL and a wrong one", True),
    Config("kto", KTO, _kto, "single answers with a label for KTO"),
    Config("repair", REPAIR, _repair, "a wrong query and what was seen of it, then the right one", True),
)
"""In the order of the card; ``default`` comes first: the others are rendered from it."""
