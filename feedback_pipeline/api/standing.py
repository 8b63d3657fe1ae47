"""How store and index stand, for the metrics: asked without ever failing, because a scrape has to be answered."""

import logging
from datetime import UTC, datetime

from feedback_pipeline.api.metrics import Standing
from feedback_pipeline.api.services import Services
from feedback_pipeline.example_index.catalog import IndexCatalog, Publication
from feedback_pipeline.store import StoreUnavailableError, count_by_status

logger = logging.getLogger(__name__)


def standing(services: Services) -> Standing:
    """Return how things are now; what cannot be told is None."""
    catalog = IndexCatalog(services.settings.storage_root)
    live = _live(catalog)
    return Standing(
        _corrections(services),
        live.version if live else None,
        _age_s(catalog, live) if live else None,
        services.influence.dropped,
    )


def _corrections(services: Services) -> dict[str, int] | None:
    try:
        return count_by_status(services.store)
    except StoreUnavailableError:
        return None


def _live(catalog: IndexCatalog) -> Publication | None:
    try:
        return catalog.live()
    except (OSError, RuntimeError, ValueError) as error:
        logger.warning("the index cannot be looked at: %s", type(error).__name__)
        return None


def _age_s(catalog: IndexCatalog, live: Publication) -> float | None:
    published_at = catalog.published_at(live)
    return None if published_at is None else max(0.0, (datetime.now(UTC) - published_at).total_seconds())
