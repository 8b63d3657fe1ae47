"""Similar corrections for a question. A missing index costs one warning, never an exception in the agent."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from feedback_pipeline.example_index.catalog import IndexCatalog, IndexNotFoundError, Publication
from feedback_pipeline.example_index.query_encoder import EncoderNotFoundError, open_encoder
from feedback_pipeline.retrieval.example import Example
from feedback_pipeline.retrieval.slices import DatabaseSlice, SliceCache
from feedback_pipeline.settings import Settings, get_settings

if TYPE_CHECKING:
    import numpy as np
    from lancedb.table import Table

    from feedback_pipeline.example_index.query_encoder import QueryEncoder

logger = logging.getLogger(__name__)

_CACHED_QUESTIONS = 4_096
_SLICE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class _LiveIndex:
    """The publication a retriever answers from, pinned."""

    publication: Publication
    table: Table
    encoder: QueryEncoder


class Retriever:
    """Finds verified examples similar to a question; follows a moved ``live`` tag without a restart. Thread-safe."""

    def __init__(self, root: str, *, refresh_seconds: float = 1.0):
        self._catalog = IndexCatalog(root)
        self._refresh_seconds = refresh_seconds
        self._live: _LiveIndex | None = None
        self._checked_at = float("-inf")
        self._lock = threading.Lock()
        self._slices = SliceCache(_SLICE_BYTES)
        self._vector_of = lru_cache(maxsize=_CACHED_QUESTIONS)(_embed)
        self._warned: set[str] = set()
        self._last_opened: Publication | None = None

    @classmethod
    def open(cls, settings: Settings | None = None, *, refresh_seconds: float = 1.0) -> Retriever:
        """Open the index of the configured storage root.

        Args:
            settings: where the index lies; default: the environment's.
            refresh_seconds: how old the knowledge of the live tag may get.

        """
        retriever = cls((settings or get_settings()).storage_root, refresh_seconds=refresh_seconds)
        retriever._follow_live_tag()
        return retriever

    @property
    def index_version(self) -> int | None:
        """Number of the publication answers come from, or None where nothing is published."""
        live = self._follow_live_tag()
        return live.publication.version if live else None

    def similar(self, natural_query: str, *, database_id: str, k: int = 3) -> list[Example]:
        """Return up to ``k`` examples of one database, most similar first.

        An unknown database, an empty question or an index that is not there gives an empty list.

        Raises:
            ValueError: ``k`` is less than 1.

        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        live = self._follow_live_tag()
        if live is None or not natural_query.strip():
            return []
        examples = self._slice_of(live, database_id)
        if examples is None or not examples.rows.num_rows:
            return []
        best = examples.nearest(self._vector_of(live.encoder, natural_query), k)
        rows = examples.rows.take([row for row, _ in best]).to_pylist()
        return [
            _example(row, score, rank) for rank, (row, (_, score)) in enumerate(zip(rows, best, strict=True), start=1)
        ]

    def _slice_of(self, live: _LiveIndex, database_id: str) -> DatabaseSlice | None:
        try:
            return self._slices.get(
                (live.publication.digest, database_id),
                lambda: DatabaseSlice.from_table(self._catalog.read_rows(live.table, database_id)),
            )
        except IndexNotFoundError as error:
            with self._lock:
                self._warn_once(str(error))
                # The folder may have been replaced below this table: it is opened anew at the next look.
                self._live = None
            return None

    def _follow_live_tag(self) -> _LiveIndex | None:
        with self._lock:
            if time.monotonic() - self._checked_at >= self._refresh_seconds:
                try:
                    self._live = self._opened()
                except (IndexNotFoundError, EncoderNotFoundError, OSError) as error:
                    self._warn_once(str(error))
                self._checked_at = time.monotonic()
            return self._live

    def _opened(self) -> _LiveIndex:
        """Return the live publication, opened anew only if the tag has moved."""
        table = self._live.table if self._live else self._catalog.open_table()
        publication = self._catalog.of_table_version(self._catalog.live_table_version(table))
        # Numbers start again when the folder was deleted and built anew, so the whole note is compared.
        if self._live and self._live.publication == publication:
            return self._live
        opened = _LiveIndex(publication, self._catalog.open_publication(publication), self._encoder_for(publication))
        self._slices.forget_others(publication.digest)
        if publication != self._last_opened:
            self._warned.clear()
            self._last_opened = publication
        return opened

    def _encoder_for(self, publication: Publication) -> QueryEncoder:
        if self._live and self._live.publication.model_fingerprint == publication.model_fingerprint:
            return self._live.encoder
        self._vector_of.cache_clear()
        return open_encoder(self._catalog.root, publication.model_fingerprint)

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            logger.warning("no examples can be retrieved: %s", text)


def _embed(encoder: QueryEncoder, text: str) -> np.ndarray:
    return encoder.encode(text)


def _example(row: dict[str, Any], score: float, rank: int) -> Example:
    return Example(
        example_id=row["example_id"],
        feedback_id=row["feedback_ids"][0],
        feedback_ids=tuple(row["feedback_ids"]),
        database_id=row["database_id"],
        natural_query=row["natural_query"],
        sql=row["sql"],
        generated_sql=row["generated_sql"],
        score=score,
        rank=rank,
        source=row["source"],
    )
