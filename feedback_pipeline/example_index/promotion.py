"""From embedded examples to answers: publish index and encoder, then note in the store what became of each feedback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from feedback_pipeline.example_index.dictionaries import Sample
from feedback_pipeline.example_index.encoder_export import export_encoder
from feedback_pipeline.example_index.publish import PublishResult, publish
from feedback_pipeline.example_index.retention import KEPT_PUBLICATIONS
from feedback_pipeline.store.decisions import decide
from feedback_pipeline.store.example_sources import note_sources
from feedback_pipeline.store.queries import ids_by_status

if TYPE_CHECKING:
    from feedback_pipeline.curation.encoder import SentenceEncoder
    from feedback_pipeline.example_index.catalog import IndexCatalog
    from feedback_pipeline.store.engine import Store

ACTOR = "pipeline"


def no_longer_vouched_for(store: Store, catalog: IndexCatalog) -> set[str]:
    """Return the feedback in the live index that nobody stands behind any more, after a rollback, say.

    Raises:
        IndexNotFoundError: nothing is live.
    """
    table = catalog.open_table()
    table.checkout(catalog.live_table_version(table))
    listed = table.search().select(["feedback_ids"]).limit(None).to_arrow()["feedback_ids"].to_pylist()
    in_use = ids_by_status(store, "verified") | ids_by_status(store, "applied")
    return {feedback_id for ids in listed for feedback_id in ids} - in_use


def still_vouched_for(store: Store, examples: pa.Table) -> pa.Table:
    """Return the examples (rows with ``feedback_ids``) of which all feedback is verified or applied right now.

    What a run has read may have been withdrawn or erased since.
    """
    in_use = ids_by_status(store, "verified") | ids_by_status(store, "applied")
    vouched = [in_use.issuperset(ids) for ids in examples["feedback_ids"].to_pylist()]
    return examples.filter(pa.array(vouched, pa.bool_()))


@dataclass(frozen=True)
class PromotionResult:
    """What is live now, and how many feedbacks became ``applied`` or lost that status because they left the index."""

    published: PublishResult
    applied: int
    set_aside: int


def promote(
    store: Store,
    catalog: IndexCatalog,
    embedded: pa.Table,
    encoder: SentenceEncoder,
    *,
    samples: Mapping[str, Sample] = MappingProxyType({}),
    vector_index_min_rows: int,
    keep_publications: int = KEPT_PUBLICATIONS,
) -> PromotionResult:
    """Publish ``embedded`` (schemas.embedded_feedback) and bring the statuses in the store in line with it.

    Examples that rest on feedback no longer in use are left out, whatever ``embedded`` says.
    ``samples`` are the values found in databases themselves, for the dictionaries. Statuses, and which feedback an
    example rests on, follow from what is live, not from what this call changed, so a crash between the steps is mended
    next time.

    Raises:
        IndexCheckError: the index built is not what was asked for; the former publication stays live.
        EncoderExportError: the query encoder would give other vectors than the model.
    """
    export_encoder(catalog.root, encoder)
    embedded = still_vouched_for(store, embedded)
    published = publish(
        catalog,
        embedded,
        encoder.fingerprint,
        samples=samples,
        vector_index_min_rows=vector_index_min_rows,
        keep_publications=keep_publications,
    )
    sources = _sources(embedded)
    note_sources(store, sources)
    live = {feedback_id for _, feedback_id in sources}
    payload = {"index_version": published.publication.version}
    newly = sorted(live.intersection(ids_by_status(store, "verified")))
    gone = sorted(ids_by_status(store, "applied").difference(live))
    applied = decide(store, newly, "applied", actor=ACTOR, payload=payload)
    set_aside = decide(
        store, gone, "set_aside", actor=ACTOR, reason="not in the live example index any more", payload=payload
    )
    return PromotionResult(
        published,
        sum(decision.outcome == "done" for decision in applied),
        sum(decision.outcome == "done" for decision in set_aside),
    )


def _sources(examples: pa.Table) -> list[tuple[str, str]]:
    rows = zip(examples["example_id"].to_pylist(), examples["feedback_ids"].to_pylist(), strict=True)
    return [(example_id, feedback_id) for example_id, ids in rows for feedback_id in ids]
