"""The example index: live and every earlier publication."""

from dataclasses import dataclass
from typing import Any

from feedback_pipeline.erasure.subject import Subject
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.removal import holdings, remove_for_good

REASON = "erasure"


@dataclass(frozen=True)
class IndexPlace:
    """The index below one storage root."""

    catalog: IndexCatalog
    vector_index_min_rows: int
    name: str = "index"

    def find(self, subject: Subject) -> dict[str, Any]:
        """Return the rows of the live publication, and the publications that hold any."""
        held = holdings(self.catalog, subject.feedback_ids)
        if not held.versions:
            return {}
        return {"live_rows": held.live_rows, "publications": held.publications, "table_versions": len(held.versions)}

    def remove(self, subject: Subject) -> dict[str, Any]:
        """Publish without the rows, then remove every publication whose files held them."""
        removal = remove_for_good(
            self.catalog, subject.feedback_ids, REASON, vector_index_min_rows=self.vector_index_min_rows
        )
        live = self.catalog.live()
        return {"revoked": removal.removed, "kept": removal.kept, "live": live.version if live else None}

    def leftovers(self, subject: Subject) -> int:
        """Return how many versions of the table still hold rows."""
        return len(holdings(self.catalog, subject.feedback_ids).versions)
