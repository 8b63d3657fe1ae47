"""The dataset releases."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from feedback_pipeline.erasure.in_index import REASON
from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.publishing.revocation import leftover_rows, revoke_rows, versions_with


def _ids(subject: Subject) -> Set[str]:
    """Return what rows of a release may rest on: feedback, and interactions that were rated."""
    return subject.feedback_ids | {str(interaction_id) for interaction_id in subject.interaction_ids}


@dataclass(frozen=True)
class ReleasesPlace:
    """All datasets below one storage root."""

    catalog: ReleaseCatalog
    name: str = "releases"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return, by dataset, the versions that hold rows."""
        found = {name: versions_with(self.catalog, name, _ids(subject)) for name in self.catalog.names()}
        return {name: versions for name, versions in found.items() if versions}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Release each dataset without the rows, and revoke the versions that held any."""
        done = [revoke_rows(self.catalog, name, _ids(subject), REASON) for name in self.catalog.names()]
        return {
            one.name: {"rows": one.rows, "revoked": one.revoked, "new_version": one.published}
            for one in done
            if one.revoked or one.published
        }

    def leftovers(self, subject: Subject) -> int:
        """Return how many rows there are in any data file."""
        return leftover_rows(self.catalog, _ids(subject))
