"""Models that were trained elsewhere, noted so that an erasure can name those that have seen the data."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from feedback_pipeline.store.engine import Store
from feedback_pipeline.store.events import utc_now
from feedback_pipeline.store.models import TrainedModelRow

Version = tuple[str, int]
"""Name of a dataset and number of its version."""


@dataclass(frozen=True)
class TrainedModel:
    """A model and one dataset version it was trained on."""

    name: str
    dataset: str
    version: int
    note: str | None
    noted_at: datetime


def note_model(store: Store, name: str, trained_on: Iterable[Version], note: str | None = None) -> None:
    """Note that the model ``name`` was trained on these versions; again changes at most the note."""
    with store.begin() as session:
        for dataset, version in dict.fromkeys(trained_on):
            row = session.get(TrainedModelRow, (name, dataset, version))
            row = row or TrainedModelRow(name=name, dataset=dataset, version=version, noted_at=utc_now())
            row.note = note if note is not None else row.note
            session.add(row)


def list_models(store: Store) -> list[TrainedModel]:
    """Return all noted models, by name, dataset and version."""
    query = select(TrainedModelRow).order_by(TrainedModelRow.name, TrainedModelRow.dataset, TrainedModelRow.version)
    with store.read() as session:
        return [TrainedModel(r.name, r.dataset, r.version, r.note, r.noted_at) for r in session.scalars(query)]


def models_trained_on(store: Store, versions: Iterable[Version]) -> list[TrainedModel]:
    """Return the models that were trained on one of ``versions``."""
    wanted = set(versions)
    return [model for model in list_models(store) if (model.dataset, model.version) in wanted]
