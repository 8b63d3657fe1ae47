"""The system of record itself. It comes last: until then its texts say what to look for elsewhere."""

from dataclasses import dataclass
from typing import Any

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.store import Store, count_records, remove_user, scrub, still_stored


@dataclass(frozen=True)
class StorePlace:
    """The store; opt-outs and the journal of erasures stay."""

    store: Store
    name: str = "store"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return how many records of each kind there are."""
        return {kind: count for kind, count in count_records(self.store, subject.user_hash).items() if count}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Delete them and leave nothing of them in the database's files."""
        counts = remove_user(self.store, subject.user_hash)
        return {**{kind: count for kind, count in counts.items() if count}, **scrub(self.store)}

    def leftovers(self, subject: Subject) -> int:
        """Return how many records there are."""
        records = sum(count_records(self.store, subject.user_hash).values())
        by_id = still_stored(self.store, sorted(subject.feedback_ids))
        return max(records, by_id)
