"""What a training of the reranker that was killed, or is under way, keeps of its dataset beside its checkpoints."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_pipeline.erasure.subject import Subject

BASE_PREFIX = "base-"
"""Of folders that hold an exported model and no data (``reranker.train``)."""


@dataclass(frozen=True)
class TrainingPlace:
    """The work folders of trainings: whose rows they hold is not told apart, so all go where a user rated anything.

    A training under way fails then. The next one is made from a dataset without the user.
    """

    folder: Path
    name: str = "training"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return how many work folders there are."""
        count = self.leftovers(subject)
        return {"work_folders": count} if count else {}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Remove them."""
        folders = self._folders(subject)
        for folder in folders:
            shutil.rmtree(folder)
        return {"work_folders": len(folders)} if folders else {}

    def leftovers(self, subject: Subject) -> int:
        """Return how many work folders there are."""
        return len(self._folders(subject))

    def _folders(self, subject: Subject) -> list[Path]:
        if not subject.interaction_ids:
            return []
        folders = (path for path in self.folder.glob("*/*") if path.is_dir())
        return sorted(path for path in folders if not path.name.startswith(BASE_PREFIX))
