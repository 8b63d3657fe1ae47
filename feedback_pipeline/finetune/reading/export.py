"""Export for OpenAI's fine-tuning: JSON Lines of chats, and of preferences for its direct preference optimisation.

Formats: https://platform.openai.com/docs/guides/supervised-fine-tuning and …/direct-preference-optimization
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from feedback_pipeline.finetune.catalog import DamagedReleaseError
from feedback_pipeline.finetune.content.kind import kind_of
from feedback_pipeline.finetune.reading.opened import OpenedRelease
from feedback_pipeline.tables.files import StorageError

Message = Mapping[str, Any]

_BATCH_ROWS = 1_000


class ExportFormat(StrEnum):
    """What is written for each row."""

    OPENAI = "openai"
    OPENAI_PREFERENCE = "openai-preference"


class ExportError(RuntimeError):
    """A row, or a whole dataset, cannot be given in the format; the text names it."""


@dataclass(frozen=True)
class ExportedFile:
    """One file that was written."""

    path: str
    split: str
    rows: int
    bytes: int


def export(
    release: OpenedRelease, destination: str | Path, format: ExportFormat = ExportFormat.OPENAI
) -> list[ExportedFile]:
    """Write one file per split, ``NAME-vN-CONFIG-SPLIT.jsonl``, of the config ``sft`` or ``preference``.

    Equal releases give equal bytes. Either all files are written or none, each at once.

    Raises:
        UnknownConfigError: the release has no such config.
        ExportError: a row does not fit the format, or the dataset holds no chats.
        DamagedReleaseError, SourceError: the release cannot be read.
        StorageError: the folder cannot be written.
    """
    if not (kind := kind_of(release.manifest)).is_prompted:
        raise ExportError(
            f"{release.name} v{release.version} is a dataset of the kind {kind.name}: OpenAI's formats are chats, and "
            f"it holds none. Load its configs ({', '.join(release.configs)}) from the Parquet files as they are"
        )
    config, to_line = _FORMATS[format]
    folder = Path(destination).expanduser()
    splits = {split: release.files(config, split) for split in release.splits(config)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write_all(folder, f"{release.name}-v{release.version}-{config}", splits, to_line)
    except OSError as error:
        raise StorageError(
            f"cannot write {error.filename or folder}: {error.strerror or error}; free space or name another folder, "
            "then export again"
        ) from error


def _write_all(folder: Path, stem: str, splits: Mapping[str, Sequence[Path]], to_line: "_ToLine") -> list[ExportedFile]:
    temporary = {split: folder / f".{stem}-{split}.jsonl.{os.getpid()}.tmp" for split in splits}
    with ExitStack() as cleanup:
        for path in temporary.values():
            cleanup.callback(path.unlink, missing_ok=True)
        rows = {split: _write(temporary[split], files, to_line) for split, files in splits.items()}
        return [_settle(temporary[split], folder / f"{stem}-{split}.jsonl", split, rows[split]) for split in splits]


def _write(path: Path, files: Sequence[Path], to_line: "_ToLine") -> int:
    rows = 0
    with path.open("wb") as target:
        for file in files:
            for row in _rows(file):
                _write_line(target, to_line(row))
                rows += 1
        target.flush()
        os.fsync(target.fileno())
    return rows


def _write_line(target: BinaryIO, document: Mapping[str, Any]) -> None:
    # All ASCII: readers that take U+2028 for the end of a line are many.
    target.write(json.dumps(document, ensure_ascii=True, separators=(", ", ": ")).encode() + b"\n")


def _settle(temporary: Path, path: Path, split: str, rows: int) -> ExportedFile:
    temporary.replace(path)
    return ExportedFile(str(path), split, rows, path.stat().st_size)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in ("row_id", *_COLUMNS) if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DamagedReleaseError(f"{path} cannot be read ({error}); restore it, or pull the release again") from error


_COLUMNS = ("messages", "prompt", "chosen", "rejected")


def _chat(row: Mapping[str, Any]) -> dict[str, Any]:
    messages = _messages(row, "messages")
    roles = [message["role"] for message in messages]
    if not _is_dialogue(roles) or roles[-1] != "assistant":
        raise _unfit(
            row, f"messages have the roles {', '.join(roles) or 'none'}, not system, user and assistant in turn"
        )
    return {"messages": messages}


def _preference(row: Mapping[str, Any]) -> dict[str, Any]:
    prompt = _messages(row, "prompt")
    roles = [message["role"] for message in prompt]
    if not _is_dialogue(roles) or roles[-1] != "user":
        raise _unfit(row, f"prompt has the roles {', '.join(roles) or 'none'}, and must end with user")
    chosen, rejected = _answer(row, "chosen"), _answer(row, "rejected")
    if chosen == rejected:
        raise _unfit(row, "chosen and rejected are the same answer")
    return {"input": {"messages": prompt}, "preferred_output": chosen, "non_preferred_output": rejected}


def _answer(row: Mapping[str, Any], column: str) -> list[dict[str, str]]:
    messages = _messages(row, column)
    if [message["role"] for message in messages] != ["assistant"]:
        raise _unfit(row, f"{column} is not one message of the assistant")
    return messages


def _is_dialogue(roles: Sequence[str]) -> bool:
    """Tell whether user and assistant take turns, the user first, after at most one message of the system."""
    turns = roles[1:] if roles[:1] == ["system"] else roles
    return bool(turns) and all(role == ("user", "assistant")[place % 2] for place, role in enumerate(turns))


def _messages(row: Mapping[str, Any], column: str) -> list[dict[str, str]]:
    messages: list[Message] = row.get(column) or []
    for message in messages:
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            raise _unfit(row, f"{column} has a message of the {message.get('role')} without content")
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _unfit(row: Mapping[str, Any], what: str) -> ExportError:
    return ExportError(f"row {row.get('row_id')} cannot be exported: {what}; nothing was written. Publish it corrected")


_ToLine = Callable[[Mapping[str, Any]], dict[str, Any]]

_FORMATS: dict[ExportFormat, tuple[str, _ToLine]] = {
    ExportFormat.OPENAI: ("sft", _chat),
    ExportFormat.OPENAI_PREFERENCE: ("preference", _preference),
}
