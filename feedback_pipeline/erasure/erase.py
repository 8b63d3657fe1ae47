"""Carrying erasures out: place by place, each finished step in the journal, a last search, a receipt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from feedback_pipeline.erasure.in_cache import CachePlace
from feedback_pipeline.erasure.in_index import IndexPlace
from feedback_pipeline.erasure.in_rejects import RejectsPlace
from feedback_pipeline.erasure.in_releases import ReleasesPlace
from feedback_pipeline.erasure.in_store import StorePlace
from feedback_pipeline.erasure.in_tables import TablesPlace
from feedback_pipeline.erasure.in_training import TrainingPlace
from feedback_pipeline.erasure.receipt import RESUMED, not_reached, receipt_of, trained_models, write_receipt
from feedback_pipeline.erasure.subject import Place, Subject, subject_of
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.removal import holdings
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import (
    Erasure,
    Store,
    close_erasure,
    note_found,
    note_progress,
    open_erasures,
    records_of,
)
from feedback_pipeline.tables.stages import StageTables


def places_of(settings: Settings, store: Store, further: Sequence[Place] = ()) -> list[Place]:
    """Return all places in the order in which they are erased: what agents see first, the store last."""
    root = settings.storage_root
    return [
        IndexPlace(IndexCatalog(root), settings.vector_index_min_rows),
        ReleasesPlace(ReleaseCatalog(root)),
        TablesPlace(StageTables(root)),
        CachePlace(root),
        RejectsPlace(settings),
        TrainingPlace(settings.local_root / "training", StageTables(root)),
        *further,
        StorePlace(store),
    ]


def would_erase(settings: Settings, store: Store, user_hash: str, further: Sequence[Place] = ()) -> dict[str, Any]:
    """Return what an erasure would find and remove, and change nothing."""
    found: dict[str, Any] = {**records_of(store, user_hash)}
    found |= _look(settings, store, user_hash, found, further)
    return {
        "subject": user_hash,
        "dry_run": True,
        "nothing_found": not found["places"],
        "found": found["places"],
        "feedback_ids": found["feedback_ids"],
        "interaction_ids": found["interaction_ids"],
        "examples_others_gave_too": found["shared_examples"],
        "trained_models": trained_models(store, user_hash, found["places"], {}),
        "not_reached": not_reached(store, settings),
    }


def finish_open_erasures(settings: Settings, store: Store, further: Sequence[Place] = ()) -> list[dict[str, Any]]:
    """Carry out every erasure that waits in the journal, where it was interrupted too; return their receipts.

    One cheap query where there is none.
    """
    return [_carry_out(settings, store, erasure, further) for erasure in open_erasures(store)]


def _carry_out(settings: Settings, store: Store, erasure: Erasure, further: Sequence[Place]) -> dict[str, Any]:
    taken_up = "places" in erasure.found and erasure.receipt is None
    if "places" not in erasure.found:
        looked = _look(settings, store, erasure.user_hash, erasure.found, further)
        erasure = replace(erasure, found={**erasure.found, **looked})
        note_found(store, erasure.erasure_id, erasure.found)
    subject = subject_of(store, erasure.user_hash, erasure.found)
    places = places_of(settings, store, further)
    interrupted = _interrupted_at(places, erasure) if taken_up else None
    for place in places:
        if place.name == StorePlace.name:
            _once_more(places[:-1], subject)
        if place.name not in erasure.progress:
            removed = {**place.remove(subject), **({RESUMED: True} if place.name == interrupted else {})}
            erasure = replace(erasure, progress={**erasure.progress, place.name: removed})
            note_progress(store, erasure.erasure_id, erasure.progress)
    verification = {place.name: place.leftovers(subject) for place in places}
    receipt = receipt_of(store, settings, erasure, verification, by_texts=bool(subject.texts.texts))
    write_receipt(settings, receipt)
    close_erasure(store, erasure.erasure_id, receipt, done=not receipt["verification"]["total"])
    return receipt


def _interrupted_at(places: Sequence[Place], erasure: Erasure) -> str | None:
    """Return the place that a killed attempt was at, if it held anything: some of it may be gone and in no count."""
    name = next((place.name for place in places if place.name not in erasure.progress), None)
    return name if name in erasure.found["places"] else None


def _once_more(places: Sequence[Place], subject: Subject) -> None:
    """Remove what came back while other places were seen to, as long as the store still knows what to look for."""
    for place in places:
        if place.leftovers(subject):
            place.remove(subject)


def _look(
    settings: Settings, store: Store, user_hash: str, found: dict[str, Any], further: Sequence[Place]
) -> dict[str, Any]:
    """Return the examples concerned and what each place holds, as it stands in the journal."""
    subject = subject_of(store, user_hash, found)
    in_tables, shared = TablesPlace(StageTables(settings.storage_root)).examples(subject.feedback_ids)
    in_index = holdings(IndexCatalog(settings.storage_root), subject.feedback_ids).example_ids
    subject = replace(subject, example_ids=in_tables | in_index)
    return {
        "example_ids": sorted(subject.example_ids),
        "shared_examples": shared,
        "places": _findings(places_of(settings, store, further), subject),
    }


def _findings(places: Sequence[Place], subject: Subject) -> dict[str, Any]:
    looked = {place.name: place.find(subject) for place in places}
    return {name: findings for name, findings in looked.items() if findings}
