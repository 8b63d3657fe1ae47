"""Releasing what users' thumbs say of passages as a dataset: brings together ``store``, ``tables`` and ``finetune``."""

import pyarrow as pa

from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.content.examples import Examples, StoredExamples, TableExamples
from feedback_pipeline.finetune.content.kind import RERANKER
from feedback_pipeline.finetune.content.reranker_rows import RerankerPolicy, dropped_interactions
from feedback_pipeline.finetune.content.selection import DROPPED_ROWS
from feedback_pipeline.finetune.publishing.leakage import measure_query_leakage
from feedback_pipeline.finetune.publishing.release import ReleaseResult, Report, Surroundings, publish_release, silently
from feedback_pipeline.finetune.publishing.retention import prune
from feedback_pipeline.reranker.registry import ModelRegistry, note_in_store
from feedback_pipeline.reranker_ratings import note_released
from feedback_pipeline.schemas import RERANKER_QUERIES
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store
from feedback_pipeline.store.feed import rated_interactions
from feedback_pipeline.store.trained_models import list_models
from feedback_pipeline.tables.stages import StageTables

NAME = "reranker"

_KIND_OF_INTERACTION = "rag"


def release_reranker(store: Store, settings: Settings, report: Report = silently) -> ReleaseResult:
    """Release the stored ``reranker_triplets`` as the next version of ``reranker``, if anything changed.

    Queries that rest on interactions which are gone from the store since then, or whose user has opted out, are left
    out. Versions beyond those to keep are removed, but for those a model was trained on.
    Raises what ``finetune.publishing.release.publish_release`` raises.

    Args:
        store: which interactions may be used, and which models were trained on which version.
        settings: the storage root, the shares of the splits, how many versions are kept.
        report: told how far it is.
    """
    catalog = ReleaseCatalog(settings.storage_root)
    tables = StageTables(settings.storage_root)
    around = Surroundings(
        in_use=set(map(str, rated_interactions(store, _KIND_OF_INTERACTION))),
        dropped_earlier=_dropped_earlier(tables),
        leakage_of=measure_query_leakage,
    )
    result = publish_release(catalog, NAME, _examples(tables), policy_of(settings), around, report, RERANKER)
    note_released(settings)
    _note_models(store, settings)
    if result.published:
        noted = {model.version for model in list_models(store) if model.dataset == NAME}
        prune(catalog, NAME, settings.keep_dataset_versions, noted)
    return result


def _note_models(store: Store, settings: Settings) -> None:
    """Note what models were trained on, also those whose training was killed before it could."""
    for model in ModelRegistry(settings.storage_root).models():
        if not model.is_damaged:
            note_in_store(store, model)


def policy_of(settings: Settings) -> RerankerPolicy:
    """Return the thresholds that the settings ask for."""
    return RerankerPolicy(
        validation_percent=settings.reranker_validation_percent,
        test_percent=settings.reranker_test_percent,
        max_question_chars=settings.dataset_max_question_chars,
    )


def _examples(tables: StageTables) -> Examples:
    stored = tables.describe(RERANKER.stage)
    if stored is None:
        return TableExamples(RERANKER_QUERIES.empty_table(), RERANKER)
    return StoredExamples(stored.path, kind=RERANKER)


def _dropped_earlier(tables: StageTables) -> pa.Table:
    stored = tables.read_partition(f"{RERANKER.stage}_dropped")
    return DROPPED_ROWS.empty_table() if stored is None else dropped_interactions(stored)
