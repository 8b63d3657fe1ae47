"""The committed sample data as feedback: a small shop, so that everything can be seen working before any real data."""

import runpy
from dataclasses import dataclass
from pathlib import Path

import feedback_pipeline
from feedback_pipeline.intake.importing import import_corrections, import_interactions
from feedback_pipeline.intake.report import ImportReport
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store, count_by_source, register_database

SOURCE = "sample"
DATABASE_ID = "shop"
REVIEWER = "sample-reviewer"
QUESTION = "How many orders went to Berlin in total?"
"""A question nobody in the sample asks in these words; what is retrieved for it shows what has been learned."""


class SampleError(RuntimeError):
    """The sample cannot be loaded here; the text says why and what to do."""


@dataclass(frozen=True)
class SampleReport:
    """What loading the sample stored."""

    corrections: ImportReport
    interactions: ImportReport


def load_samples(store: Store, settings: Settings) -> SampleReport:
    """Register the shop database and import the sample corrections, verified where they pass, and interactions.

    Loading twice stores nothing twice.

    Raises:
        SampleError: the store holds feedback that is no sample, or this is no checkout of the project.
    """
    folder = _folder()
    _refuse_to_mix(store, settings)
    shop = settings.local_root / "sample_database" / "shop.sqlite"
    if not shop.exists():
        shop.parent.mkdir(parents=True, exist_ok=True)
        part = shop.with_suffix(".part")
        runpy.run_path(str(folder / "build_shop.py"))["build"](part)
        part.replace(shop)
    register_database(store, DATABASE_ID, "sqlite", url=str(shop))
    corrections = import_corrections(
        store, [folder / "corrections.jsonl"], settings=settings, source=SOURCE, verify_as=REVIEWER
    )
    interactions = import_interactions(store, [folder / "interactions.jsonl"], settings=settings, source=SOURCE)
    return SampleReport(corrections, interactions)


def _folder() -> Path:
    folder = Path(feedback_pipeline.__file__).parent.parent / "data" / "samples"
    if not (folder / "corrections.jsonl").is_file():
        raise SampleError(f"no sample data at {folder}: it comes with a checkout of the project, not with the package")
    return folder


def _refuse_to_mix(store: Store, settings: Settings) -> None:
    others = sum(count for source, count in count_by_source(store).items() if source != SOURCE)
    if others:
        raise SampleError(
            f"the store under {settings.storage_root} already holds {others} corrections that are no sample, and the "
            "two should not mix; set FEEDBACK_STORAGE_ROOT to an empty folder for the sample, or run without --sample"
        )
