"""Whether a feedback is behind an example of the live index, told without a query per question."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_pipeline.example_index.catalog import IndexCatalog, IndexNotFoundError, Publication
from feedback_pipeline.tables.id_sets import id_set, place

if TYPE_CHECKING:
    import numpy as np
    from lancedb.table import Table


@dataclass(frozen=True)
class _Live:
    """The live publication, and the feedback behind its examples, sorted."""

    publication: Publication
    table: Table
    ids: np.ndarray


class LiveMembership:
    """Tells which live publication holds a feedback; follows a moved ``live`` tag. Thread-safe.

    Args:
        root: the storage root.
        refresh_seconds: how old the knowledge of the live tag may get. Whoever looks first after that reads it;
            others are answered meanwhile from what is known.

    """

    def __init__(self, root: str, *, refresh_seconds: float = 1.0):
        self._catalog = IndexCatalog(root)
        self._refresh_seconds = refresh_seconds
        self._live: _Live | None = None
        self._looked_at = float("-inf")
        self._looking = threading.Lock()

    def version_with(self, feedback_id: str) -> int | None:
        """Return the number of the live publication if any of its examples rests on a feedback, else None.

        None too where nothing is published or the index cannot be read.
        """
        self._look()
        live = self._live
        return live.publication.version if live and place(live.ids, feedback_id) >= 0 else None

    def _look(self) -> None:
        # Only the very first has others wait: before that there is nothing to answer from.
        if not self._looking.acquire(blocking=self._looked_at == float("-inf")):
            return
        try:
            if time.monotonic() - self._looked_at >= self._refresh_seconds:
                self._live = self._opened()
                self._looked_at = time.monotonic()
        finally:
            self._looking.release()

    def _opened(self) -> _Live | None:
        """Return the live publication, read anew only if the tag has moved."""
        try:
            table = self._live.table if self._live else self._catalog.open_table()
            publication = self._catalog.of_table_version(self._catalog.live_table_version(table))
            if self._live and self._live.publication == publication:
                return self._live
            published = self._catalog.open_publication(publication)
            column = published.search().select(["feedback_ids"]).limit(None).to_arrow()["feedback_ids"]
            return _Live(publication, published, id_set(column))
        except (IndexNotFoundError, RuntimeError, ValueError, OSError):
            # A damaged index is told of by whoever retrieves from it; here nothing is known to be live.
            return None
