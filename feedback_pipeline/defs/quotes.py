"""Recognising events of Dagster that quote a user, and telling their words from Dagster's and our own."""

import json
import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

import dagster as dg
import pyarrow as pa

from feedback_pipeline import schemas
from feedback_pipeline.defs.checks import ALL_CHECKS
from feedback_pipeline.defs.jobs import JOBS
from feedback_pipeline.erasure.phrases import Phrases
from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.store.transitions import Event, Status

_PREVIEW_CHARS = 59
"""What a preview shows of a cell before it cuts (``metadata.preview``)."""
_WORTH_SEARCHING = 15
"""Shorter texts are looked for as whole cells only: they stand in any sentence."""
_SCHEMAS = [value for value in vars(schemas).values() if isinstance(value, pa.Schema)]
OWN_NAMES = frozenset(
    {name for schema in _SCHEMAS for name in schema.names}
    | {str(value) for value in (*Status, *Event)}
    | {name for job in JOBS for name in (job.name, str(job.description))}
    | {name for check in ALL_CHECKS for key in check.check_keys for name in (key.name, *key.asset_key.path)}
)
"""Words of ours that stand in any history: columns, statuses, jobs, checks and assets."""
_NO_VALUE = {"", "None", "nan", "NaN", "<NA>"}
_TEXT_COLUMNS = {
    "natural_query", "generated_sql", "corrected_sql", "answer_sql", "safe_question", "safe_sql", "safe_generated_sql",
    "canonical_question", "canonical_sql", "sql", "sql_skeleton", "output", "text", "comment", "feedback_reason",
}  # fmt: skip
"""Columns that hold what users wrote, in previews of today and of earlier versions."""
_SILENT = {
    "ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED", "LOGS_CAPTURED", "PIPELINE_START",
    "PIPELINE_STARTING", "PIPELINE_ENQUEUED", "PIPELINE_DEQUEUED", "PIPELINE_SUCCESS", "RESOURCE_INIT_STARTED",
    "RESOURCE_INIT_SUCCESS", "STEP_START", "STEP_SUCCESS", "STEP_WORKER_STARTING", "STEP_WORKER_STARTED",
}  # fmt: skip
"""Events in which nothing but Dagster speaks."""
_ID = re.compile(r"[\w-]+")


class Quotes:
    """Recognises events that quote a subject, where users' words can stand at all: in metadata, errors and messages.

    Ids count everywhere there. A text counts as a whole cell of a preview, or, if it is long enough and none of
    ``own_names``, as words that follow each other.
    """

    def __init__(self, subject: Subject, own_names: Set[str] = OWN_NAMES):
        self._ids = {*subject.feedback_ids, *subject.example_ids}
        self._numbers = {str(number) for number in subject.interaction_ids}
        texts = {_on_one_line(text) for text in subject.texts.texts}
        self._cells = {_uncut(text.replace("|", "\\|")) for text in texts} - _NO_VALUE
        phrases = {text for text in texts if len(text) >= _WORTH_SEARCHING} - own_names
        self._phrases = Phrases(phrases)
        self.wanted = frozenset({*self._ids, *self._numbers, *self._cells, *phrases})

    def found_in(self, event: dg.EventLogEntry) -> bool:
        """Tell whether an event quotes the subject."""
        if event.dagster_event is None:
            return self._quoted_in(event.user_message)
        if event.dagster_event.event_type_value in _SILENT:
            return False
        return any(map(self._quoted_in, texts_of_users(json.loads(dg.serialize_value(event.dagster_event)))))

    def _quoted_in(self, text: str) -> bool:
        return not self._ids.isdisjoint(_ID.findall(text)) or self._shown_in_table(text) or self._phrases.found_in(text)

    def _shown_in_table(self, text: str) -> bool:
        return any(
            (column in _TEXT_COLUMNS and _uncut(cell) in self._cells)
            or (column == "interaction_id" and cell in self._numbers)
            for column, cell in _cells(text)
        )


def texts_of_users(document: Any) -> Iterator[str]:
    """Yield the texts of a serialised event that are not Dagster's own: metadata, errors' messages, descriptions."""
    if isinstance(document, list):
        for item in document:
            yield from texts_of_users(item)
    elif isinstance(document, Mapping):
        kind = str(document.get("__class__"))
        if kind.endswith(("MetadataValue", "MetadataEntryData")):
            yield from () if kind.startswith("TableSchema") else _strings(document)
        elif kind == "SerializableErrorInfo":
            yield str(document.get("message"))
            yield from texts_of_users([document.get("cause"), document.get("context")])
        else:
            yield from (text for name, text in document.items() if name == "description" and isinstance(text, str))
            yield from texts_of_users(list(document.values()))


def _strings(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, Mapping | list):
        yield from _strings_in(document)


def _strings_in(document: Mapping[str, Any] | list[Any]) -> Iterator[str]:
    """Yield keys as well: in JSON metadata they may be ids."""
    if isinstance(document, Mapping):
        yield from document
    for item in document.values() if isinstance(document, Mapping) else document:
        yield from _strings(item)


def _cells(text: str) -> Iterator[tuple[str, str]]:
    """Yield column and content of each cell of a Markdown table; nothing of any other text."""
    lines = text.split("\n")
    if len(lines) < 2 or not lines[1].startswith(("|-", "|:")):
        return
    columns = _split(lines[0])
    for line in lines[2:]:
        yield from zip(columns, _split(line), strict=False)


def _split(line: str) -> list[str]:
    return [cell.strip().replace("\0", "\\|") for cell in line.strip().strip("|").replace("\\|", "\0").split("|")]


def _uncut(cell: str) -> str:
    return cell.removesuffix("…")[:_PREVIEW_CHARS]


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
