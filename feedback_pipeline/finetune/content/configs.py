"""The configs of a release of SQL: the same rows in the formats that trainers read (TRL's "Dataset formats and types").

Each config is rendered from rows of DATASET_ROWS alone, so what did not change there does not change here.
"""

# Arrow's compute functions come into being when the module loads, so pyright does not know them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feedback_pipeline.finetune.content.difficulty import difficulties
from feedback_pipeline.finetune.content.prompts import Prompts
from feedback_pipeline.finetune.content.rows import DATASET_ROWS

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

REPEATING = ("database_id", "cluster_id", "schema_fingerprint", "evidence", "source", "difference", "difficulty")
"""Columns that Parquet's dictionaries make smaller; texts are smaller and quicker without."""

_UNSEEN = "it gives other results"
_WRONG = ("wrong_sql",)
"""Only rows of which a wrong SQL was seen to give other results have something to show."""

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
        schema: columns of the training format, then those that tell where a row comes from.
        show: from canonical rows to this schema, in their order; rows with nothing to show are left out.
        title: what it is, for the card.
        needs: columns of the rows that hold lists; where one is empty there is nothing to show.
    """

    name: str
    schema: pa.Schema
    show: Callable[["Asked"], pa.Table]
    title: str
    needs: tuple[str, ...] = ()

    def render(self, rows: pa.Table, prompts: Prompts) -> pa.Table:
        """Return what this config alone shows of canonical rows."""
        return self.show(Asked(rows, prompts))


@dataclass(frozen=True)
class Asked:
    """Canonical rows with the prompts they become; what several configs show is made once.

    Attributes:
        rows: the rows.
        prompts: the templates, and what they tell of databases.
    """

    rows: pa.Table
    prompts: Prompts

    @cached_property
    def system(self) -> pa.Array:
        """The system message of each row."""
        return self.prompts.fill("system", self.rows)

    @cached_property
    def user(self) -> pa.Array:
        """The user's message of each row."""
        return self.prompts.fill("user", self.rows)

    @cached_property
    def question(self) -> pa.Array:
        """Both as messages."""
        return _messages(system=self.system, user=self.user)

    @cached_property
    def wrong(self) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Every wrong SQL that was seen to give other results: its row's number, itself, and what was seen."""
        wrong, seen = (self.rows[name].combine_chunks() for name in ("wrong_sql", "wrong_differences"))
        return pc.list_parent_indices(wrong), wrong.flatten(), pc.fill_null(seen.flatten(), _UNSEEN)


def _default(asked: Asked) -> pa.Table:
    rows = asked.rows
    if "difficulty" not in rows.column_names:
        rows = rows.append_column("difficulty", difficulties(rows["sql_skeleton"]))
    return rows.select(DEFAULT.names).cast(DEFAULT)


def _sft(asked: Asked) -> pa.Table:
    rows = asked.rows
    return _table(SFT, rows, messages=_messages(system=asked.system, user=asked.user, assistant=rows["sql"]))


def _prompt_completion(asked: Asked) -> pa.Table:
    # The line break keeps tokenizers from joining the last sign of the prompt to the first of the completion.
    completion = pc.binary_join_element_wise("\n", asked.rows["sql"], "")
    return _table(PROMPT_COMPLETION, asked.rows, prompt=asked.prompts.fill("prompt", asked.rows), completion=completion)


def _preference(asked: Asked) -> pa.Table:
    numbers, wrong, _ = asked.wrong
    rows = asked.rows.select([*PROVENANCE.names, "sql"]).take(numbers)
    chosen, rejected = _messages(assistant=rows["sql"]), _messages(assistant=wrong)
    return _table(PREFERENCE, rows, prompt=asked.question.take(numbers), chosen=chosen, rejected=rejected)


def _kto(asked: Asked) -> pa.Table:
    numbers, completions, labels = rated_answers(asked)
    told = asked.rows.select([*PROVENANCE.names, "rated_in"]).take(numbers)
    prompt, completion = asked.question.take(numbers), _messages(assistant=completions)
    return _table(KTO, told, prompt=prompt, completion=completion, label=labels)


def _repair(asked: Asked) -> pa.Table:
    numbers, wrong, seen = asked.wrong
    rows = asked.rows.select([*PROVENANCE.names, "natural_query", "sql"]).take(numbers)
    shown = rows.append_column("wrong_sql", wrong).append_column("difference", seen)
    prompt = _messages(system=asked.system.take(numbers), user=asked.prompts.fill("repair", shown))
    return _table(REPAIR, rows, prompt=prompt, completion=_messages(assistant=rows["sql"]))


def rated_answers(asked: Asked) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Return each answer of which it is known whether users want it: its row's number, its SQL, and whether they do.

    Wanted is the verified SQL; unwanted is what was seen to give other results, and what users rated down.
    """
    rows, down = asked.rows, asked.rows["rated_down"].combine_chunks()
    of_wrong, wrong, _ = asked.wrong
    numbers = [pa.array(np.arange(rows.num_rows)), of_wrong, pc.list_parent_indices(down)]
    answers = [rows["sql"], wrong, down.flatten()]
    together = np.concatenate([one.to_numpy().astype(np.int64) for one in numbers])
    order = pa.array(np.argsort(together, kind="stable"))
    wanted = np.arange(len(together)) < rows.num_rows
    texts = pa.concat_arrays([_one(answer) for answer in answers])
    return pa.array(together).take(order), texts.take(order), pa.array(wanted).take(order)


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _messages(**contents: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return for each row the messages of these roles, in this order."""
    columns = [_one(one) for one in contents.values()]
    rows, count = len(columns[0]), len(columns)
    # Row by row, not role by role: 0, rows, 2 rows, 1, rows + 1, …
    order = (np.arange(rows)[:, None] + rows * np.arange(count)).reshape(-1)
    content = columns[0] if count == 1 else pa.concat_arrays(columns).take(pa.array(order))
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
    Config("preference", PREFERENCE, _preference, "pairs for DPO: the verified SQL and a wrong one", _WRONG),
    Config("kto", KTO, _kto, "single answers with a label for KTO"),
    Config("repair", REPAIR, _repair, "a wrong query and what was seen of it, then the right one", _WRONG),
)
"""In the order of the card; ``default`` comes first: the others are rendered from it."""
