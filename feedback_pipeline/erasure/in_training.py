"""What a training of the reranker that was killed, or is under way, keeps beside its checkpoints, and who was heard."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.tables.files import StorageError
from feedback_pipeline.tables.stages import WHOLE, StageTables

BASE_PREFIX = "base-"
"""Of folders that hold an exported model and no data (``reranker.train``)."""

ERASED_PREFIX = ".erased-"
"""Of work folders that are being removed: what a crash leaves of one is found, by whoever looks for work folders."""

_RACE_SECONDS = 2.0
"""How long a training may still be making a file in a folder that is being removed."""

VOICES = ("reranker_voices", "reranker_voices_released", "reranker_voices_heard")
"""Stages that hold who has made triplets of what (``reranker_ratings``)."""


@dataclass(frozen=True)
class TrainingPlace:
    """The work folders of trainings: whose rows they hold is not told apart, so all go where a user rated anything.

    A training under way fails then. The next one is made from a dataset without the user.
    """

    folder: Path
    tables: StageTables
    name: str = "training"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return how many work folders and voices there are."""
        if not subject.interaction_ids:
            return {}
        voices = sum(len(table) for table in self._voices(subject).values())
        found = {"work_folders": self.leftovers(subject), "voices": voices}
        return {name: count for name, count in found.items() if count}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Remove them; the next run makes the voices of the others anew.

        Raises:
            StorageError: a folder cannot be removed. The erasure stays open.
        """
        folders, voices = self._folders(subject), self._voices(subject)
        for stage, table in voices.items():
            self.tables.rewrite(stage, WHOLE, table.schema.empty_table())
        for folder in folders:
            _remove(folder)
        removed = {"work_folders": len(folders), "voices": sum(len(table) for table in voices.values())}
        return {name: count for name, count in removed.items() if count}

    def leftovers(self, subject: Subject) -> int:
        """Return how many work folders there are."""
        return len(self._folders(subject))

    def _voices(self, subject: Subject) -> dict[str, pa.Table]:
        """Return the tables of voices: keys that no text can be made of, and yet somebody could look a user up in."""
        if not subject.interaction_ids:
            return {}
        stored = {stage: self.tables.read_partition(stage) for stage in VOICES}
        return {stage: table for stage, table in stored.items() if table is not None and len(table)}

    def _folders(self, subject: Subject) -> list[Path]:
        """Return the work folders to go; whoever the user is, those that were to go already and a crash has left."""
        folders = sorted(path for path in self.folder.glob("*/*") if path.is_dir())
        if not subject.interaction_ids:
            return [path for path in folders if path.name.startswith(ERASED_PREFIX)]
        return [path for path in folders if not path.name.startswith(BASE_PREFIX)]


def _remove(folder: Path) -> None:
    """Remove a work folder: renamed first, so that a training which is writing into it cannot open anything in it."""
    aside = folder
    try:
        aside = _set_aside(folder)
        _remove_tree(aside)
    except OSError as error:
        raise StorageError(
            f"cannot remove {aside}: {error}; make it writable, then run again: the erasure stays open until it is gone"
        ) from error


def _set_aside(folder: Path) -> Path:
    if folder.name.startswith(ERASED_PREFIX):
        return folder
    aside = folder.with_name(f"{ERASED_PREFIX}{uuid4().hex}")
    with suppress(FileNotFoundError):
        # The training may have removed it itself, having come to its end.
        folder.rename(aside)
    return aside


@retry(
    retry=retry_if_exception_type(OSError), stop=stop_after_delay(_RACE_SECONDS), wait=wait_fixed(0.05), reraise=True
)
def _remove_tree(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
