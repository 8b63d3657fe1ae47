"""Releasing what is verified as a dataset: brings together ``store``, ``tables`` and ``finetune``."""

from functools import partial

import pyarrow as pa

from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.content.examples import Examples, StoredExamples, TableExamples
from feedback_pipeline.finetune.content.prompts import BUNDLED, DatabaseFacts, Prompts, read_templates
from feedback_pipeline.finetune.content.schema_text import SchemaText
from feedback_pipeline.finetune.content.selection import DROPPED_ROWS, ReleasePolicy, dropped_earlier
from feedback_pipeline.finetune.publishing.leakage import measure_leakage
from feedback_pipeline.finetune.publishing.release import ReleaseResult, Report, Surroundings, publish_release, silently
from feedback_pipeline.finetune.publishing.retention import prune
from feedback_pipeline.ratings import rated_answers
from feedback_pipeline.schemas import DEDUPED_FEEDBACK
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, databases_by_id, ids_by_status
from feedback_pipeline.store.trained_models import list_models
from feedback_pipeline.tables.stages import StageTables

TEXT2SQL = "text2sql"

_EARLIER = ("verified_feedback_dropped", "deduped_feedback_dropped")


def release_text2sql(store: Store, settings: Settings, report: Report = silently) -> ReleaseResult:
    """Release the stored ``deduped_feedback`` as the next version of ``text2sql``, if anything changed.

    What has been withdrawn or rejected since it was stored is left out. Versions beyond those to keep are removed.
    Raises what ``finetune.release.publish_release`` raises, TemplateError too.
    """
    catalog = ReleaseCatalog(settings.storage_root)
    result = publish_release(
        catalog, TEXT2SQL, _examples(store, settings), policy_of(settings), _surroundings(store, settings), report
    )
    if result.published:
        trained_on = {model.version for model in list_models(store) if model.dataset == TEXT2SQL}
        prune(catalog, TEXT2SQL, settings.keep_dataset_versions, trained_on)
    return result


def policy_of(settings: Settings) -> ReleasePolicy:
    """Return the thresholds that the settings ask for."""
    return ReleasePolicy(
        min_rating=settings.min_rating,
        validation_percent=settings.validation_percent,
        test_percent=settings.test_percent,
        min_weight=settings.dataset_min_weight,
        min_evidence=settings.dataset_min_evidence,
        max_question_chars=settings.dataset_max_question_chars,
        max_rows_per_user=settings.dataset_max_rows_per_user,
    )


def prompts_of(store: Store, settings: Settings) -> Prompts:
    """Return the prompt templates of the settings, and what prompts tell of the registered databases."""
    limit = settings.prompt_schema_chars
    databases = {
        database.database_id: DatabaseFacts(database.dialect, SchemaText(database.schema, limit))
        for database in databases_by_id(store).values()
    }
    return Prompts(read_templates(settings.prompt_templates or BUNDLED), databases)


def _examples(store: Store, settings: Settings) -> Examples:
    stored = StageTables(settings.storage_root).describe("deduped_feedback")
    if stored is None:
        return TableExamples(DEDUPED_FEEDBACK.empty_table())
    return StoredExamples(stored.path, rated_answers(store, settings, StoredExamples(stored.path).columns))


def _surroundings(store: Store, settings: Settings) -> Surroundings:
    tables = StageTables(settings.storage_root)
    return Surroundings(
        prompts=prompts_of(store, settings),
        in_use=ids_by_status(store, "verified") | ids_by_status(store, "applied"),
        user_of=_users(tables) if settings.dataset_max_rows_per_user else {},
        dropped_earlier=_dropped_earlier(tables),
        leakage_of=partial(measure_leakage, across_databases=settings.group_across_databases),
    )


def _users(tables: StageTables) -> dict[str, str]:
    verified = tables.read_partition("verified_feedback")
    if verified is None:
        return {}
    pairs = zip(verified["feedback_id"].to_pylist(), verified["user_hash"].to_pylist(), strict=True)
    return {feedback_id: user for feedback_id, user in pairs if user is not None}


def _dropped_earlier(tables: StageTables) -> pa.Table:
    stored = (tables.read_partition(stage) for stage in _EARLIER)
    parts = [dropped_earlier(table) for table in stored if table is not None]
    return pa.concat_tables(parts) if parts else DROPPED_ROWS.empty_table()
