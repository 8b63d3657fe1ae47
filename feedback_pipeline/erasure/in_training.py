"""What a training of the reranker that was killed, or is under way, keeps beside its checkpoints, and who was heard."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.tables.stages import WHOLE, StageTables

BASE_PREFIX = "base-"
"""Of folders that hold an exported model and no data (``reranker.train``)."""

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
        voices = sum(len(table) for table in self._voices(subject).values())
        found = {"work_folders": self.leftovers(subject), "voices": voices}
        return {name: count for name, count in found.items() if count}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Remove them; the next run makes the voices of the others anew."""
        folders, voices = self._folders(subject), self._voices(subject)
        for stage, table in voices.items():
            self.tables.rewrite(stage, WHOLE, table.schema.empty_table())
        for folder in folders:
            # A training may be writing into it: what it has open goes with the folder, what it opens next fails.
            aside = folder.with_name(f"{BASE_PREFIX}erased-{folder.name}")
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
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
        if not subject.interaction_ids:
            return []
        folders = (path for path in self.folder.glob("*/*") if path.is_dir())
        return sorted(path for path in folders if not path.name.startswith(BASE_PREFIX))
