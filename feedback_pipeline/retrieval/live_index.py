"""The publication that answers, pinned; it follows a moved ``live`` tag without keeping anybody waiting."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feedback_pipeline.example_index.catalog import DatabaseContent, IndexCatalog, IndexNotFoundError, Publication
from feedback_pipeline.example_index.dictionaries import Dictionaries, DictionaryNotFoundError
from feedback_pipeline.example_index.query_encoder import EncoderNotFoundError, open_encoder
from feedback_pipeline.masking.dictionary import ValueDictionary
from feedback_pipeline.retrieval.large import LargeDatabase, rows_of, slice_bytes
from feedback_pipeline.retrieval.slice_cache import Follower, Key, SliceCache
from feedback_pipeline.retrieval.slices import DatabaseSlice

if TYPE_CHECKING:
    import numpy as np
    from lancedb.table import Table

    from feedback_pipeline.example_index.query_encoder import QueryEncoder

logger = logging.getLogger(__name__)

Examples = DatabaseSlice | LargeDatabase
UNREADABLE = (IndexNotFoundError, EncoderNotFoundError, DictionaryNotFoundError, OSError, RuntimeError, ValueError)
"""What a missing, damaged or half-copied index raises."""


@dataclass(frozen=True)
class LiveIndex:
    """One publication, opened: rows, encoder, and which dictionary each database has."""

    publication: Publication
    table: Table
    encoder: QueryEncoder
    contents: dict[str, DatabaseContent]
    dictionary_keys: dict[str, str]

    def key_of(self, database_id: str) -> Key:
        """Return a key that is the same in all publications that hold the same of a database."""
        content = self.contents.get(database_id)
        digest = content.digest if content else self.publication.digest
        return f"{digest} {self.dictionary_keys.get(database_id, '')}", database_id


class LiveIndexFollower:
    """Knows the live publication and holds the examples of its databases. Thread-safe.

    Args:
        root: the storage root.
        refresh_seconds: how old the knowledge of the tag may get; with 0 every call looks, and waits for what is new.
        max_bytes: memory for the examples of all databases together. A database that takes more than that alone is not
            held but searched in the index.

    """

    def __init__(self, root: str, *, refresh_seconds: float, max_bytes: int):
        self._catalog, self._dictionaries = IndexCatalog(root), Dictionaries(root)
        self._refresh_seconds, self._max_bytes = refresh_seconds, max_bytes
        self._live: LiveIndex | None = None
        self._checked_at = float("-inf")
        self._lock = threading.Lock()
        self._cache: SliceCache[Examples] = SliceCache(max_bytes)
        self._follower = Follower()
        self._warned: set[str] = set()
        self._last_opened: Publication | None = None

    def live(self) -> LiveIndex | None:
        """Return the live publication; None, and one warning, where there is none that can be read."""
        if time.monotonic() - self._checked_at < self._refresh_seconds:
            return self._live
        if self._live is None or not self._refresh_seconds:
            with self._lock:
                if self._live is None or not self._refresh_seconds:
                    self._look()
        else:
            self._checked_at = time.monotonic()
            self._follower.start(self._look)
        return self._live

    def examples_of(self, live: LiveIndex, database_id: str) -> Examples | None:
        """Return the examples of one database; None where it has none or they cannot be read."""
        if live.contents and database_id not in live.contents:
            return None
        key = live.key_of(database_id)
        try:
            return self._cache.get(key, lambda: self._load(live, database_id))
        except UNREADABLE as error:
            self._warn_once(str(error))
            # The folder may have been replaced below this table: it is opened anew at the next look.
            self._live = None
            return None

    def search(self, examples: Examples, vectors: tuple[np.ndarray, np.ndarray], k: int) -> list[tuple[Any, float]]:
        """Return the ``k`` best rows with their scores; none, and one warning, where they cannot be read any more."""
        try:
            return examples.search(*vectors, k)
        except UNREADABLE as error:
            self._warn_once(str(error))
            self._live = None
            return []

    def _look(self) -> None:
        try:
            opened = self._opened(self._live)
        except UNREADABLE as error:
            self._warn_once(str(error))
        else:
            if opened is not self._live:
                self._take_over(opened)
        finally:
            self._checked_at = time.monotonic()

    def _opened(self, current: LiveIndex | None) -> LiveIndex:
        """Return the live publication, opened anew only if the tag has moved."""
        table = current.table if current else self._catalog.open_table()
        publication = self._catalog.of_table_version(self._catalog.live_table_version(table))
        # Numbers start again when the folder was deleted and built anew, so the whole note is compared.
        if current and current.publication == publication:
            return current
        same_model = current and current.publication.model_fingerprint == publication.model_fingerprint
        return LiveIndex(
            publication,
            self._catalog.open_publication(publication),
            current.encoder
            if current and same_model
            else open_encoder(self._catalog.root, publication.model_fingerprint),
            self._catalog.databases(publication),
            self._dictionaries.keys(publication.values_digest),
        )

    def _take_over(self, opened: LiveIndex) -> None:
        """Answer from another publication, once what is asked for now has been loaded from it."""
        databases = self._cache.databases() if self._live else []
        held = [opened.key_of(database_id) for database_id in databases if database_id in opened.contents]
        self._cache.preload(held, lambda key: self._load_aside(opened, key[1]))
        self._live = opened
        self._cache.keep_only(lambda key: key == opened.key_of(key[1]))
        if opened.publication != self._last_opened:
            self._warned.clear()
            self._last_opened = opened.publication

    def _load(self, live: LiveIndex, database_id: str) -> Examples:
        dictionary = self._dictionary(live, database_id)
        rows = rows_of(live.table, database_id, live.contents)
        if slice_bytes(rows, live.publication.dimension, vectors=2) > self._max_bytes:
            return LargeDatabase(live.table, database_id, rows, dictionary)
        return DatabaseSlice.from_table(self._catalog.read_rows(live.table, database_id), dictionary)

    def _load_aside(self, live: LiveIndex, database_id: str) -> Examples:
        """Load what is asked for later, with a pause for those who ask now."""
        start = time.monotonic()
        loaded = self._load(live, database_id)
        if self._refresh_seconds:
            time.sleep((time.monotonic() - start) / 2)
        return loaded

    def _dictionary(self, live: LiveIndex, database_id: str) -> ValueDictionary:
        key = live.dictionary_keys.get(database_id)
        return self._dictionaries.read(key) if key else ValueDictionary()

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            logger.warning("no examples can be retrieved: %s", text)
