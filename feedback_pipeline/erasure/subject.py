"""Whom an erasure is about, and by what their data is recognised in each place."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any, Protocol

from feedback_pipeline.store import Store, UserTexts, texts_of
from feedback_pipeline.store.erasures import BY_IDS_ALONE

NOBODY = ""
"""What no id is hashed to."""


@dataclass(frozen=True)
class Subject:
    """One user.

    Attributes:
        user_hash: under which the store files them.
        feedback_ids: their feedback, that of earlier erasures too.
        interaction_ids: likewise.
        example_ids: examples that rest on their feedback, of others too perhaps.
        texts: what only they wrote; empty once the store has forgotten it.
        hash_user: turns a raw id found somewhere into what can be compared.
    """

    user_hash: str
    feedback_ids: Set[str]
    interaction_ids: Set[int]
    example_ids: Set[str]
    texts: UserTexts
    hash_user: Callable[[str], str]

    def is_user(self, raw_id: str) -> bool:
        """Tell whether ``raw_id`` is this user's."""
        return self.hash_user(raw_id) == self.user_hash


def subject_of(store: Store, user_hash: str, found: dict[str, Any]) -> Subject:
    """Return the user with the record ids that a journal entry (or ``records_of``) names."""
    feedback_ids, interaction_ids = found["feedback_ids"], found["interaction_ids"]
    return Subject(
        # Where an erasure that was done is opened again, what the user has given since is none of its business.
        NOBODY if found.get(BY_IDS_ALONE) else user_hash,
        frozenset(feedback_ids),
        frozenset(interaction_ids),
        frozenset(found.get("example_ids", ())),
        texts_of(store, feedback_ids, interaction_ids),
        store.hash_user,
    )


class Place(Protocol):
    """Somewhere a user's data may lie. Each method may be called again at any time."""

    @property
    def name(self) -> str:
        """Under which the receipt lists it."""
        ...

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return what is there, as counts and versions; empty where there is nothing. Changes nothing."""
        ...

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Remove it and return what was removed."""
        ...

    def leftovers(self, subject: Subject) -> int:
        """Search again and return how many rows, lines or files still hold something."""
        ...
