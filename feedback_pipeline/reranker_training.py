"""Retraining the reranker: brings together the released dataset, ``reranker`` and the model registry.

From the latest release to a model in the registry, promoted only where the gate says so. Killed at any point, the next
call goes on where it was: parts that are trained stay in the work folder, a model that is in the registry is not
trained again, and a promotion that was decided is made.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog, read_data, split_of_file
from feedback_pipeline.reranker.candidates.config import TrainingConfig
from feedback_pipeline.reranker.comparison.held_out import JudgedList, judged_lists
from feedback_pipeline.reranker.evaluate import (
    BASE,
    SURFACED,
    Figures,
    base_scores,
    figures_as_surfaced,
    figures_of,
    means,
    scores_of,
)
from feedback_pipeline.reranker.gate import Decision, GatePolicy, Opponent, choose, decide, effective_number
from feedback_pipeline.reranker.models.local_copy import local_folder
from feedback_pipeline.reranker.models.model import Model
from feedback_pipeline.reranker.models.promotion import Production, ProductionMovedError
from feedback_pipeline.reranker.rated_queries import COLUMNS, RatedQuery, rated_queries_of
from feedback_pipeline.reranker.ratings.effective import Voices
from feedback_pipeline.reranker.registry import ModelRegistry, note_in_store
from feedback_pipeline.reranker.report import TrainingReport
from feedback_pipeline.reranker.scoring import ModelFolder, Scorer, open_scorer
from feedback_pipeline.reranker.train import (
    BASE_PREFIX,
    Candidate,
    Candidates,
    NothingToTrainError,
    Report,
    TrainingData,
    silently,
    train_candidates,
)
from feedback_pipeline.reranker_ratings import RELEASED, note_heard, stored_voices
from feedback_pipeline.reranker_release import NAME
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import Store
from feedback_pipeline.tables.files import canonical_bytes, read_bytes

_GATE = "gate"
_MOST_HELD_OUT = 2_000
"""Held-out queries that are compared, the heaviest first: more make intervals narrower than anybody needs."""


@dataclass(frozen=True)
class Retrained:
    """What a training came to.

    Attributes:
        model: in the registry, promoted or not.
        is_new: whether this call trained it.
        report: what is told of it, as JSON types.
    """

    model: Model
    is_new: bool
    report: dict[str, Any]

    @property
    def promoted(self) -> bool:
        """Whether the gate let it go live."""
        return self.model.passed_gate


@dataclass(frozen=True)
class _Task:
    """One training: on what, how, whose ratings it hears, and the folder below which trainings work."""

    release: Release
    config: TrainingConfig
    voices: Voices | None
    work_root: Path

    @property
    def key(self) -> str:
        return training_key(self.release, self.config)

    @property
    def work(self) -> Path:
        return self.work_root / self.key[:16]


@dataclass(frozen=True)
class _Splits:
    train: list[RatedQuery]
    validation: list[RatedQuery]
    test: list[RatedQuery]


def retrain(store: Store, settings: Settings, report: Report = silently) -> Retrained:
    """Train on the latest release of ``reranker``, and promote the result if it is surely better.

    The same release and configuration are trained on once: again returns the model there is, and makes its promotion
    if a crash came before.

    Raises:
        NothingToTrainError: nothing has been released, or there is nothing in it to learn from.
        RerankerBaseError, ModelNotFoundError: a model to start from cannot be had.
        StorageError: the disk is full; calling again goes on. Production is untouched.
        DamagedReleaseError, DamagedPointerError: what was released or promoted cannot be read.
    """
    work_root = settings.local_root / "training" / NAME
    work_root.mkdir(parents=True, exist_ok=True)
    with _only_training(work_root, report):
        # Read before the release: who is heard in a release that is published meanwhile is not taken for heard.
        voices = stored_voices(settings, RELEASED)
        release = ReleaseCatalog(settings.storage_root).latest(NAME)
        if release is None:
            raise NothingToTrainError(f"no dataset {NAME!r} has been released; run 'feedback-pipeline run' first")
        return _retrain(store, settings, _Task(release, config_of(settings), voices, work_root), report)


@contextmanager
def _only_training(work_root: Path, report: Report) -> Iterator[None]:
    lock = FileLock(work_root / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report("waiting for another training to end", 0, 1, None)
        lock.acquire()
    with lock:
        try:
            yield
        finally:
            lock.release()


def config_of(settings: Settings) -> TrainingConfig:
    """Return the configuration that the settings ask for."""
    return TrainingConfig(
        candidates=settings.candidate_names,
        encoder=settings.embedding_model,
        base=settings.reranker_base,
        seed=settings.reranker_seed,
        epochs=settings.reranker_epochs,
        max_tokens=settings.reranker_max_tokens,
        max_queries=settings.reranker_max_queries,
        device=settings.reranker_device,
    )


def training_key(release: Release, config: TrainingConfig) -> str:
    """Return what identifies a training: the content it is trained on, and how."""
    return hashlib.sha256(canonical_bytes({"dataset": release.digest, **config.identity()})).hexdigest()


def _retrain(store: Store, settings: Settings, task: _Task, report: Report) -> Retrained:
    registry = ModelRegistry(settings.storage_root)
    known = next((one for one in registry.models() if one.manifest.get("training_key") == task.key), None)
    try:
        model = known or _train_and_add(settings, registry, task, report)
    finally:
        # Somebody may have been erased meanwhile: nothing trained on what they gave is to appear.
        _forget_revoked(settings, task)
    note_in_store(store, model)
    note_heard(settings, task.voices)
    _promote(registry, model, report)
    registry.prune(settings.keep_models)
    _sweep(task.work_root)
    return Retrained(model, known is None, _report_of(model))


def _forget_revoked(settings: Settings, task: _Task) -> None:
    now = ReleaseCatalog(settings.storage_root).look_up(f"{task.release.name}@v{task.release.version}")
    if now.revoked:
        _sweep(task.work_root)


def _sweep(work_root: Path) -> None:
    for folder in (path for path in work_root.iterdir() if path.is_dir() and not path.name.startswith(BASE_PREFIX)):
        shutil.rmtree(folder, ignore_errors=True)


def _train_and_add(settings: Settings, registry: ModelRegistry, task: _Task, report: Report) -> Model:
    release, config = task.release, task.config
    splits = _splits(release, config)
    candidates = train_candidates(TrainingData(splits.train, splits.validation), config, task.work, report)
    report("comparing the candidates", 0, 1, None)
    chosen, validation = _chosen(candidates, splits)
    report("comparing with production", 0, 1, None)
    live = registry.production()
    policy = GatePolicy(settings.reranker_min_held_out, settings.reranker_min_users)
    decision = _decision(live, _is_revoked(live), candidates, chosen, splits, _users(task.voices), policy)
    dataset = {"name": release.name, "version": release.version, "digest": release.digest}
    told = TrainingReport(
        candidate=chosen.name,
        dataset=dataset,
        decision=decision,
        validation=validation,
        parts=ModelFolder.read(chosen.folder).to_json()["parts"],
        training=config.as_dict(),
        data={**{f"{name}_queries": len(queries) for name, queries in vars(splits).items()}, **candidates.facts},
        curves={part: curve for one in candidates.trained for part, curve in one.curves.items()},
    )
    facts = _facts(told, task.key, live)
    # The version may have been revoked while it was trained on: its manifest says so, and find() raises.
    ReleaseCatalog(settings.storage_root).find(f"{release.name}@v{release.version}")
    documents = {**told.documents(), "README.md": told.markdown().encode()}
    return registry.add(chosen.folder, documents, facts)


def _facts(told: TrainingReport, key: str, compared_with: Model | None) -> dict[str, Any]:
    """Return what the manifest of a model tells."""
    return {
        "training_key": key,
        "candidate": told.candidate,
        "dataset": told.dataset,
        "gate": told.decision.as_dict(),
        "metrics": told.decision.means,
        "training": told.training,
        "git_revision": _git_revision(),
        # A person may have promoted another one since.
        "parent": compared_with.version if compared_with else None,
    }


def _splits(release: Release, config: TrainingConfig) -> _Splits:
    most = {"train": config.max_queries, "validation": _MOST_HELD_OUT, "test": _MOST_HELD_OUT}

    def rows_of(split: str) -> Iterator[pa.Table]:
        return (read_data(path, list(COLUMNS)) for path in release.data_files if split_of_file(path) == split)

    return _Splits(**{split: rated_queries_of(rows_of(split), count) for split, count in most.items()})


def _chosen(candidates: Candidates, splits: _Splits) -> tuple[Candidate, dict[str, dict[str, float | None]]]:
    """Return the candidate to be judged, and the figures of all on the validation split."""
    lists = judged_lists(splits.validation, splits.train, candidates.encode)
    figures = {one.name: figures_of(lists, scores_of(open_scorer(one.folder), lists)) for one in candidates.trained}
    name = choose(figures, lists)
    chosen = next(one for one in candidates.trained if one.name == name)
    return chosen, {candidate: means(one, lists) for candidate, one in figures.items()}


def _is_revoked(model: Model | None) -> bool:
    """Tell whether what a model was trained on has been revoked for somebody's sake."""
    return model is not None and model.revoked_dataset() is not None


def _decision(
    live: Model | None,
    live_is_to_go: bool,
    candidates: Candidates,
    chosen: Candidate,
    splits: _Splits,
    users: float,
    policy: GatePolicy,
) -> Decision:
    lists = judged_lists(splits.test, [*splits.train, *splits.validation], candidates.encode)
    scores = scores_of(open_scorer(chosen.folder), lists)
    candidate = figures_of(lists, scores)
    opponents = [
        Opponent(BASE, figures_of(lists, base_scores(lists)), candidate),
        Opponent(SURFACED, figures_as_surfaced(lists), figures_as_surfaced(lists, scores)),
    ]
    if live is not None:
        name = f"production ({live.name})"
        opponents.append(Opponent(name, _figures_of_model(live, lists), candidate, live_is_to_go))
    return decide(lists, candidate, opponents, users, policy)


def _figures_of_model(model: Model, lists: list[JudgedList]) -> Figures:
    return figures_of(lists, scores_of(_scorer_of(model), lists))


def _scorer_of(model: Model) -> Scorer:
    return open_scorer(local_folder(model))


def _promote(registry: ModelRegistry, model: Model, report: Report) -> None:
    pointer = registry.production_pointer()
    if not is_to_be_promoted(pointer, model):
        return
    try:
        registry.promote(model.version, reason="; ".join(model.reasons), by=_GATE, expected=pointer)
    except ProductionMovedError as error:
        # Somebody has decided meanwhile, and the model was not compared with what they chose.
        report(f"{model.name} stays a candidate: {error}", 0, 1, None)


def is_to_be_promoted(pointer: Production | None, model: Model) -> bool:
    """Tell whether the gate let a model through that never went live, and it was compared with what is live now.

    What people have rolled back since stays back, and what they have promoted since is not replaced.
    """
    if not model.passed_gate or (pointer and pointer.was_in_production(model.version)):
        return False
    return (pointer.version if pointer else None) == model.manifest.get("parent")


def _report_of(model: Model) -> dict[str, Any]:
    return json.loads(read_bytes(f"{model.path}/report.json"))


def _users(voices: Voices | None) -> float:
    """Return how many equally busy users would have as many voices; all without a user are one."""
    if voices is None:
        return 0.0
    return effective_number(np.unique(voices.user, return_counts=True)[1].astype(np.float64))


def _git_revision() -> str | None:
    """Return the revision of the code where it runs from a checkout, else None."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(
        [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None if done.returncode == 0 else None
