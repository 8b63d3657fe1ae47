"""The cache of vectors: those of questions that nobody else asked."""

from dataclasses import dataclass
from typing import Any

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.tables.embedding_cache import forget, keys_in_cache, text_key


@dataclass(frozen=True)
class CachePlace:
    """The caches of all models below one storage root."""

    root: str
    name: str = "vectors"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return how many vectors are cached."""
        count = self.leftovers(subject)
        return {"vectors": count} if count else {}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Remove them."""
        return {"vectors": forget(self.root, _keys(subject))}

    def leftovers(self, subject: Subject) -> int:
        """Return how many vectors are cached."""
        return keys_in_cache(self.root, _keys(subject))


def _keys(subject: Subject) -> set[str]:
    return {text_key(question) for question in subject.texts.questions}
