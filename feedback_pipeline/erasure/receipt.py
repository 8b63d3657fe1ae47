"""What an erasure did, for the user, for auditors and for those who have to retrain."""

from datetime import UTC, datetime
from typing import Any

from feedback_pipeline.intake.rejects import count_unattributable
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Erasure, Store, models_trained_on
from feedback_pipeline.store.erasures import erasures_of
from feedback_pipeline.tables.files import write_json

RESUMED = "resumed"
"""Marks a place at which an attempt was killed: what that attempt removed stands under ``found`` alone."""
_OF_A_PASS = ("finished_at", "found", "removed", "verification")


def receipt_path(settings: Settings, erasure_id: str) -> str:
    """Return where the receipt of an erasure lies."""
    return settings.path("erasures", f"{erasure_id}.json")


def write_receipt(settings: Settings, receipt: dict[str, Any]) -> None:
    """Store the receipt below the storage root. Raises StorageError."""
    write_json(receipt_path(settings, receipt["erasure_id"]), receipt)


def receipt_of(
    store: Store, settings: Settings, erasure: Erasure, verification: dict[str, int], *, by_texts: bool
) -> dict[str, Any]:
    """Return the receipt: what was found and removed where, what could not be reached, and what a last search found."""
    found, removed = erasure.found, erasure.progress
    return {
        "erasure_id": erasure.erasure_id,
        "subject": erasure.user_hash,
        "consent": erasure.consent,
        "requested_at": erasure.requested_at.isoformat() if erasure.requested_at else None,
        "finished_at": datetime.now(UTC).isoformat(),
        "nothing_found": not found["places"],
        "found": found["places"],
        "removed": removed,
        "feedback_ids": found["feedback_ids"],
        "interaction_ids": found["interaction_ids"],
        "examples_others_gave_too": found["shared_examples"],
        "trained_models": trained_models(store, erasure.user_hash, found["places"], removed),
        "not_reached": not_reached(store, settings),
        "verification": {
            "searched_by": "ids and texts" if by_texts else "ids",
            "leftovers": verification,
            "total": sum(verification.values()),
        },
        "earlier_passes": _earlier_passes(erasure.receipt),
    }


def _earlier_passes(receipt: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return what earlier passes of the same erasure found and removed, where remains made it begin again."""
    if receipt is None:
        return []
    return [*receipt.get("earlier_passes", []), {name: receipt.get(name) for name in _OF_A_PASS}]


def trained_models(
    store: Store, user_hash: str, found: dict[str, Any], removed: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the models noted as trained on a version that held the user's rows, before earlier erasures too."""
    versions = _versions(found, removed)
    for erasure in erasures_of(store, user_hash):
        versions |= _versions(erasure.found.get("places"), erasure.progress)
        receipt = erasure.receipt or {}
        for one in [receipt, *receipt.get("earlier_passes", [])]:
            versions |= _versions(one.get("found"), one.get("removed"))
    return [
        {"name": model.name, "trained_on": f"{model.dataset}@v{model.version}", "note": model.note}
        for model in models_trained_on(store, versions)
    ]


def _versions(found: dict[str, Any] | None, removed: dict[str, Any] | None) -> set[tuple[str, int]]:
    held = (found or {}).get("releases", {})
    done = {name: one["revoked"] for name, one in (removed or {}).get("releases", {}).items() if name != RESUMED}
    return {(name, version) for numbers in (held, done) for name, some in numbers.items() for version in some}


def not_reached(store: Store, settings: Settings) -> list[dict[str, str]]:
    """Return what an erasure cannot reach, and why."""
    places = [
        ("trained models", "what a model has learned stays in it: train it again on a version that is not revoked"),
        ("copies of datasets", "pulled by trainers; remove the rows by their feedback_ids"),
        ("backups and snapshots", "of the storage root and of the databases; they have retention rules of their own"),
        ("imported files", "they lie where you keep them; opted out, the user's rows in them are not stored again"),
        ("memory of running agents", "examples read before stay until the next question, which looks for a new index"),
        ("reports about other users' questions", "may name an example by its id, a hash of question and SQL"),
    ]
    if cut := count_unattributable(settings):
        why = f"{cut:,} were cut before anything told whose they are; look through them, or import the files again"
        places.append(("cut rows in rejects/", why))
    if "://" in settings.storage_root:
        places.append(("object versions", f"if {settings.storage_root} keeps former versions, delete them there"))
    if store.engine.dialect.name != "sqlite":
        places.append(("free space of Postgres", "rows are deleted; VACUUM, its log and its replicas are the server's"))
    else:
        places.append(("blocks of the disk", "files were removed or rewritten; what the disk keeps is not ours to see"))
    return [{"what": what, "why": why} for what, why in places]
