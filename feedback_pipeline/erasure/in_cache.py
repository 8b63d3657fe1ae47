"""The cache of vectors: those of questions that nobody else asked, and all that no example needs any more.

A masked question may still hold words that only one user wrote. Its text is gone once the tables are cleaned, so what
is left over is told by what remains.
"""

from dataclasses import dataclass
from typing import Any

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.tables.embedding_cache import forget, forget_all_but, keys_in_cache, text_key
from feedback_pipeline.tables.stages import StageTables

_EMBEDDED = ("natural_query", "masked_query")


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
        """Remove them, and those of masked questions that went with their examples."""
        return {"vectors": forget(self.root, _keys(subject)) + forget_all_but(self.root, self._needed())}

    def leftovers(self, subject: Subject) -> int:
        """Return how many vectors are cached."""
        return keys_in_cache(self.root, _keys(subject))

    def _needed(self) -> set[str]:
        table = StageTables(self.root).read_partition("embedded_feedback")
        columns = [] if table is None else [name for name in _EMBEDDED if name in table.column_names]
        return {text_key(text) for name in columns for text in table[name].to_pylist()} if table else set()


def _keys(subject: Subject) -> set[str]:
    return {text_key(question) for question in subject.texts.questions}
