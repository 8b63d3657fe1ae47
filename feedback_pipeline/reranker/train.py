"""Training the candidates: from rated queries to model folders, each taken up again where a kill has left it.

What is trained lies below one work folder per training: a folder for each part, whole once its ``curve.json`` is
there, and one below ``models`` for each candidate, made of parts. The same data and configuration on one machine give
the same models.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from feedback_pipeline.curation.encoder import ModelNotFoundError, folder_fingerprint, model_folder
from feedback_pipeline.reranker.candidates.bi_encoder import load_encoder, train_bi_encoder
from feedback_pipeline.reranker.candidates.blend import FEWEST_PAIRS, combined, fit, scores_of
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.candidates.cross_encoder import train_cross_encoder
from feedback_pipeline.reranker.candidates.failures import DamagedWorkError, as_storage_error
from feedback_pipeline.reranker.candidates.mining import Triplet, mined_triplets, rated_triplets
from feedback_pipeline.reranker.candidates.pairs import Pairs, pairs_of
from feedback_pipeline.reranker.candidates.training_loop import LossPoint
from feedback_pipeline.reranker.candidates.work_files import link_tree, read_rows
from feedback_pipeline.reranker.rated_queries import RatedQuery, passages_of
from feedback_pipeline.reranker.scoring import (
    BlendScorer,
    Bm25Statistics,
    ModelFolder,
    ModelFolderError,
    PartScorer,
    PartSpec,
    open_part,
    open_scorer,
)
from feedback_pipeline.reranker.scoring.onnx_export import PartExportError, export_part
from feedback_pipeline.tables.files import StorageError, write_json

Report = Callable[[str, int, int, float | None], None]
"""Told (what is being done, steps done, steps in all, loss where there is one)."""

_DONE = "curve.json"
_BASE = "base"
BASE_PREFIX = "base-"
"""Folders beside those of trainings that hold an exported base retriever and no data."""
_CALIBRATED_ON = 1_500
"""Queries, the heaviest first, that weights of the combination are learned from: a few numbers need no more."""


class NothingToTrainError(ValueError):
    """There is no query with good passages to train on; the text says what to do."""


@dataclass(frozen=True)
class TrainingData:
    """Rated queries of the splits that training may see."""

    train: list[RatedQuery]
    validation: list[RatedQuery]


@dataclass(frozen=True)
class Candidate:
    """A trained candidate: its name, model folder and loss curves by part."""

    name: str
    folder: Path
    curves: dict[str, list[LossPoint]]


@dataclass(frozen=True)
class Candidates:
    """All trained candidates, and what was trained on.

    Attributes:
        trained: in the order of the configuration.
        encode: the untrained retriever: texts to unit vectors.
        facts: counts of what was trained on, as JSON types.
    """

    trained: list[Candidate]
    encode: Callable[[list[str]], np.ndarray]
    facts: dict[str, Any]


def silently(_what: str, _done: int, _total: int, _loss: float | None) -> None:
    """Report nothing."""


def train_candidates(data: TrainingData, config: TrainingConfig, work: Path, report: Report = silently) -> Candidates:
    """Train what the configuration names; what ``work`` already has is not trained again.

    Raises:
        NothingToTrainError: no query has a good and a bad passage.
        RerankerBaseError, ModelNotFoundError: a model to start from cannot be had.
        PartExportError: a trained model cannot be exported for serving.
        StorageError: the disk is full, or the folder cannot be read or written.
        DamagedWorkError: what was written a moment ago cannot be read.
    """
    try:
        return _trained(data, config, work, report)
    except DamagedWorkError as error:
        # What a power failure has cut short would fail every attempt alike.
        report(f"starting over: {error}", 0, 1, None)
        bases = work.parent.glob(f"{BASE_PREFIX}*") if error.place == work / _BASE else ()
        for folder in (work, *bases):
            shutil.rmtree(folder, ignore_errors=True)
        return _trained(data, config, work, report)


def _trained(data: TrainingData, config: TrainingConfig, work: Path, report: Report) -> Candidates:
    try:
        return _Training(data, config, work, report).run()
    except (StorageError, ModelNotFoundError, PartExportError, DamagedWorkError):
        raise
    except (OSError, RuntimeError, SafetensorError) as error:
        told = as_storage_error(error, work)
        if told is None:
            raise
        raise told from error


class _Training:
    """One training with its work folder."""

    def __init__(self, data: TrainingData, config: TrainingConfig, work: Path, report: Report):
        self.data, self.config, self.work, self.report = data, config, work, report
        self.curves: dict[str, list[LossPoint]] = {}
        self.facts: dict[str, Any] = {}
        self._open: dict[str, PartScorer] = {}
        # How long a passage is counts as far as a bi-encoder reads it: else who writes on beyond that would win.
        length = PartSpec("length", "length", max_tokens=config.max_tokens)
        self._untrained = (PartSpec("base_cosine", _BASE), PartSpec("bm25", "bm25"), length)

    def run(self) -> Candidates:
        if not any(one.is_two_sided for one in self.data.train):
            raise NothingToTrainError(
                "no query of the train split has both good and bad passages: there is nothing to learn from yet; "
                "collect ratings, up and down"
            )
        self.work.mkdir(parents=True, exist_ok=True)
        self._prepare()
        trained = [self._candidate(name) for name in self.config.candidates]
        return Candidates(trained, _Remembering(self._part(self._untrained[0])), self.facts)

    def _prepare(self) -> None:
        """Make what several candidates rest on: the untrained encoder, word statistics, the light combination."""
        self._base()
        Bm25Statistics.from_passages(passages_of(self.data.train)).write(self.work / "bm25")
        self.report("weighing what needs no training", 0, 1, None)
        pairs = _calibration_pairs([*self.data.train, *self.data.validation])
        self.light = fit(self._scores(self._untrained, pairs), pairs)

    def _base(self) -> None:
        """Export the untrained encoder, once for all trainings that start from it."""
        kept = (
            self.work.parent
            / f"{BASE_PREFIX}{folder_fingerprint(model_folder(self.config.encoder))}-{self.config.max_tokens}"
        )
        if not (kept / _DONE).is_file():
            self.report("exporting the base retriever", 0, 1, None)
            shutil.rmtree(kept, ignore_errors=True)
            load_encoder(self.config).save_pretrained(str(kept / "torch"))
            self._finish(kept, "base_cosine", [])
        link_tree(kept, self.work / _BASE)

    def _candidate(self, name: str) -> Candidate:
        specs = self._blended() if name == "blend" else [self._trained(name)]
        folder = self.work / "models" / name
        shutil.rmtree(folder, ignore_errors=True)
        for spec in specs:
            # Nobody trains the base retriever on: its weights for torch would be a quarter of the model.
            part = f"{_BASE}/onnx" if spec.kind == "base_cosine" else spec.folder
            link_tree(self.work / part, folder / part)
        # A cross-encoder reads query and passage in one; each part keeps its own limit below this one.
        ModelFolder(name, tuple(specs), 2 * self.config.max_tokens).write(folder)
        return Candidate(name, folder, {spec.folder: self._curve(spec.folder) for spec in specs})

    def _trained(self, name: str) -> PartSpec:
        """Train the part of this name, unless it has been; return it."""
        if not (self.work / name / _DONE).is_file():
            shutil.rmtree(self.work / name, ignore_errors=True)
            checkpoints = self.work / "checkpoints" / name
            model, curve = self._bi_encoder(checkpoints) if name == "bi_encoder" else self._cross_encoder(checkpoints)
            model.save_pretrained(str(self.work / name / "torch"))
            self.report(f"exporting the {name}", 0, 1, None)
            self._finish(self.work / name, name, curve)
            shutil.rmtree(checkpoints, ignore_errors=True)
        return PartSpec("bi_encoder" if name == "bi_encoder" else "cross_encoder", name)

    def _bi_encoder(self, checkpoints: Path) -> tuple[Any, list[LossPoint]]:
        triplets = self._triplets()
        return train_bi_encoder(triplets, self.config, checkpoints, self._progress("training the bi-encoder"))

    def _triplets(self) -> list[Triplet]:
        """Return rated and mined triplets; mined once, since a training that is taken up must see the same."""
        path = self.work / "triplets.json"
        if path.is_file():
            triplets = read_rows(path, Triplet)
        else:
            self.report("mining hard negatives", 0, 1, None)
            rated = rated_triplets(self.data.train, self.config.triplets_per_query)
            lacking = [one for one in self.data.train if one.positives and not one.negatives]
            triplets = rated + mined_triplets(lacking, self.data.train, load_encoder(self.config))
            write_json(str(path), [asdict(one) for one in triplets])
        mined_count = sum(one.is_mined for one in triplets)
        self.facts |= {"triplets": len(triplets) - mined_count, "mined_triplets": mined_count}
        return triplets

    def _cross_encoder(self, checkpoints: Path) -> tuple[Any, list[LossPoint]]:
        teacher = BlendScorer([(spec, self._part(spec)) for spec in self.light])
        progress = self._progress("training the cross-encoder")
        return train_cross_encoder(self.data.train, teacher.score_batch, self.config, checkpoints, progress)

    def _blended(self) -> list[PartSpec]:
        """Return the light parts and the trained one that helps them most, weighed where it has not been trained."""
        names = [one for one in self.config.candidates if one != "blend"]
        pairs = _calibration_pairs(self.data.validation)
        if not names or len(pairs) < FEWEST_PAIRS:
            return self.light
        trained = self._scores([self._trained(name) for name in names], pairs)
        return combined(self.light, self._scores(self._untrained, pairs), trained, pairs)

    def _scores(self, specs: Sequence[PartSpec], pairs: Pairs) -> dict[PartSpec, np.ndarray]:
        return scores_of({spec: self._part(spec) for spec in specs}, pairs)

    def _part(self, spec: PartSpec) -> PartScorer:
        """Open a part as it is served."""
        if spec.folder not in self._open:
            try:
                self._open[spec.folder] = open_part(self.work, spec, 2 * self.config.max_tokens)
            except ModelFolderError as error:
                if isinstance(error.__cause__, ModuleNotFoundError):
                    raise
                raise DamagedWorkError(self.work / spec.folder, error) from error
        return self._open[spec.folder]

    def _finish(self, folder: Path, kind: str, curve: list[LossPoint]) -> None:
        """Export a saved part and note that it is whole."""
        export_part(folder, kind)
        write_json(str(folder / _DONE), [asdict(point) for point in curve])

    def _curve(self, folder: str) -> list[LossPoint]:
        path = self.work / folder / _DONE
        return read_rows(path, LossPoint) if path.is_file() else []

    def _progress(self, what: str) -> Callable[[int, int, float], None]:
        return lambda done, total, loss: self.report(what, done, total, loss)


def _calibration_pairs(queries: Sequence[RatedQuery]) -> Pairs:
    return pairs_of(sorted(queries, key=lambda one: (-one.weight, one.row_id))[:_CALIBRATED_ON])


class _Remembering:
    """The encoder of a part; what it has embedded it does not embed again."""

    def __init__(self, part: Any):
        self._encode, self._known = part.encode, {}

    def __call__(self, texts: list[str]) -> np.ndarray:
        new = sorted({*texts} - self._known.keys())
        if new:
            self._known |= dict(zip(new, self._encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])


__all__ = ["Candidate", "Candidates", "NothingToTrainError", "TrainingData", "open_scorer", "train_candidates"]
