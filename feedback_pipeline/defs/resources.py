"""What assets, checks and sensors work with: the settings and what they lead to, opened when first used."""

from datetime import UTC, date, datetime
from functools import cached_property, lru_cache

import dagster as dg

from feedback_pipeline.checking import checker_from
from feedback_pipeline.curation.embedding import Encode
from feedback_pipeline.curation.encoder import SentenceEncoder
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.query_encoder import EncoderNotFoundError, open_encoder
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.settings import Settings, get_settings
from feedback_pipeline.store import Store, check_states, checked_days, event_days, interaction_days, open_store
from feedback_pipeline.tables.embedding_cache import EmbeddingCache
from feedback_pipeline.tables.stages import StageTables


@lru_cache(maxsize=8)
def _opened(store_url: str) -> Store:
    """Keep one store open per process and URL."""
    return open_store(get_settings())


@lru_cache(maxsize=1)
def use_ray(address: str) -> None:
    """Let Daft run on a Ray cluster; once per process, since Daft's runner cannot be changed."""
    import daft

    daft.set_runner_ray(address)


class Feedback(dg.ConfigurableResource):
    """The doors to everything outside Dagster."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Connect to the Ray cluster where one is configured."""
        if address := self.settings.ray_address:
            use_ray(address)

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return get_settings()

    @property
    def store(self) -> Store:
        """The system of record."""
        return _opened(self.settings.store_url)

    @cached_property
    def tables(self) -> StageTables:
        """The stored tables between stages."""
        return StageTables(self.settings.storage_root)

    @cached_property
    def index(self) -> IndexCatalog:
        """The example index and its publications."""
        return IndexCatalog(self.settings.storage_root)

    @cached_property
    def releases(self) -> ReleaseCatalog:
        """The dataset releases."""
        return ReleaseCatalog(self.settings.storage_root)

    @cached_property
    def encoder(self) -> SentenceEncoder:
        """The embedding model; it loads at the first text."""
        return SentenceEncoder(self.settings.embedding_model)

    def quick_encoder(self) -> Encode | None:
        """Open the exported encoder of the present model, where an index has been published with it."""
        try:
            return open_encoder(self.settings.storage_root, self.encoder.fingerprint).encode_all
        except EncoderNotFoundError:
            return None

    @cached_property
    def embedding_cache(self) -> EmbeddingCache:
        """Vectors already made with this model."""
        return EmbeddingCache(self.settings.storage_root, self.encoder.fingerprint, self.encoder.dimension)

    def stale_feedback_days(self) -> list[str]:
        """Return the days (ISO, UTC) whose stored events or evidence are older than what the store now holds."""
        stale = {
            day
            for day, seq in event_days(self.store).items()
            if self._note("raw_feedback", day, "event_seq") != seq
            or self.tables.describe("checked_feedback", day.isoformat()) is None
        }
        checker = checker_from(self.store, self.settings)
        stale |= {
            day for day, database_id, key in check_states(self.store) if key != checker.facts(database_id).checks_key
        }
        stale |= {
            day
            for day, seq in checked_days(self.store).items()
            if self._note("checked_feedback", day, "checked_seq") != seq
        }
        return sorted(day.isoformat() for day in stale)

    def stale_interaction_days(self) -> list[str]:
        """Return the days (ISO, UTC) whose stored interactions differ from the store's."""
        marks = interaction_days(self.store).items()
        return [day.isoformat() for day, mark in marks if self._note("raw_interactions", day, "mark") != mark]

    def _note(self, stage: str, day: date, name: str) -> object:
        stored = self.tables.describe(stage, day.isoformat())
        return stored.notes.get(name) if stored else None


def today() -> str:
    """Return the current UTC day, the newest partition."""
    return datetime.now(UTC).date().isoformat()
