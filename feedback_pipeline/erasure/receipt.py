"""What an erasure did, for the user, for auditors and for those who have to retrain."""

from datetime import UTC, datetime
from typing import Any

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Erasure, Store, models_trained_on
from feedback_pipeline.tables.files import write_json


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
        "trained_models": trained_models(store, found["places"].get("releases", {}), removed.get("releases", {})),
        "not_reached": not_reached(store, settings),
        "verification": {
            "searched_by": "ids and texts" if by_texts else "ids",
            "leftovers": verification,
            "total": sum(verification.values()),
        },
    }


def trained_models(store: Store, found: dict[str, list[int]], removed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the models noted as trained on a version that held the user's rows."""
    versions = {(name, version) for name, numbers in found.items() for version in numbers}
    versions |= {(name, version) for name, done in removed.items() for version in done["revoked"]}
    return [
        {"name": model.name, "trained_on": f"{model.dataset}@v{model.version}", "note": model.note}
        for model in models_trained_on(store, versions)
    ]


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
    if "://" in settings.storage_root:
        places.append(("object versions", f"if {settings.storage_root} keeps former versions, delete them there"))
    if store.engine.dialect.name != "sqlite":
        places.append(("free space of Postgres", "rows are deleted; VACUUM, its log and its replicas are the server's"))
    else:
        places.append(("blocks of the disk", "files were removed or rewritten; what the disk keeps is not ours to see"))
    return [{"what": what, "why": why} for what, why in places]
