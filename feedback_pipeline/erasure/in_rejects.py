"""The rows that imports refused: the one place where raw user ids stand."""

from dataclasses import dataclass
from typing import Any

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.intake.rejects import count_rejects, remove_rejects
from feedback_pipeline.settings import Settings


@dataclass(frozen=True)
class RejectsPlace:
    """The rejects files of one deployment. Ids in them are hashed and compared, so the raw one need not be known."""

    settings: Settings
    name: str = "rejects"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return how many rows there are."""
        count = self.leftovers(subject)
        return {"rows": count} if count else {}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Remove them, and files that have none left."""
        return {"rows": remove_rejects(self.settings, subject.is_user, subject.user_hash)}

    def leftovers(self, subject: Subject) -> int:
        """Return how many rows there are."""
        return count_rejects(self.settings, subject.is_user, subject.user_hash)
