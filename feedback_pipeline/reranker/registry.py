"""The models that were trained: ``models/reranker/vN``, and which of them is in production.

A version never changes, but that its weights go when they are old. The pointer ``production.json`` moves at once, and
only to a version that is whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedback_pipeline import __version__
from feedback_pipeline.reranker.models.adding import write_version
from feedback_pipeline.reranker.models.model import FOLDER, MANIFEST, REQUIRED, Model, State
from feedback_pipeline.reranker.models.pointer import Expected, move_production, refuse_unexpected
from feedback_pipeline.reranker.models.promotion import Production, read_production, refuse_unfit
from feedback_pipeline.reranker.scoring.folder import require_servable
from feedback_pipeline.tables.files import StorageError, read_json, uncached, write_json
from feedback_pipeline.tables.publishing import only_publisher

if TYPE_CHECKING:
    from feedback_pipeline.store import Store

FORMAT = 1
NAME = "reranker"
_VERSION = re.compile(r"v?(\d+)")


class UnknownModelError(LookupError):
    """There is no such model; the text lists what there is."""


class ModelRegistry:
    """The models below one storage root. A version exists once its manifest does."""

    def __init__(self, root: str):
        self.root = f"{root.rstrip('/')}/models/{NAME}"
        self.pointer = f"{self.root}/production.json"

    def versions(self) -> list[int]:
        """Return the version numbers, in order."""
        fs, inner = uncached(self.root)
        folders = (str(path).split("/")[-2] for path in fs.glob(f"{escape(inner)}/v*/{MANIFEST}"))
        return sorted(int(match.group(1)) for folder in folders if (match := _VERSION.fullmatch(folder)))

    def models(self) -> list[Model]:
        """Return all versions in order; one whose manifest cannot be read is damaged."""
        return [self._read(version) for version in self.versions()]

    def look_up(self, reference: str | int) -> Model:
        """Return the model of ``3``, ``v3``, ``latest`` or ``production``.

        Raises:
            UnknownModelError: no such version, or nothing is in production.
            DamagedPointerError: nobody knows what is in production.
        """
        wanted = str(reference)
        if wanted == "production":
            version = (self.production_pointer() or Production()).version
        elif wanted == "latest":
            version = max(self.versions(), default=None)
        else:
            version = int(match.group(1)) if (match := _VERSION.fullmatch(wanted)) else None
        if version is None or version not in self.versions():
            raise UnknownModelError(f"no reranker model {wanted!r}; there {self._known()}")
        return self._read(version)

    def production_pointer(self) -> Production | None:
        """Return what is in production and how that came, None before the first promotion.

        Raises:
            DamagedPointerError: ``production.json`` makes no sense.
        """
        return read_production(self.pointer)

    def production(self) -> Model | None:
        """Return the model in production, None where there is none.

        Raises:
            UnknownModelError: the model that is in production is gone.
            DamagedPointerError: ``production.json`` makes no sense.
        """
        pointer = self.production_pointer()
        return None if pointer is None or pointer.version is None else self.look_up(pointer.version)

    def state_of(self, model: Model) -> State:
        """Return ``production``, ``retired`` (once was), ``refused`` (by the gate), ``candidate`` or ``damaged``."""
        pointer = self.production_pointer() or Production()
        if pointer.version == model.version:
            return "production"
        if model.is_damaged:
            return "damaged"
        if pointer.was_in_production(model.version):
            return "retired"
        return "candidate" if model.passed_gate else "refused"

    def add(self, files_folder: Path, documents: Mapping[str, bytes], facts: Mapping[str, Any]) -> Model:
        """Publish a trained model as the next version; production does not change.

        Args:
            files_folder: the model folder (``reranker.scoring``), each part exported to ONNX.
            documents: what lies beside it, by path: ``README.md``, ``report.md``, ``plots/loss.svg``.
            facts: what the manifest tells: at least ``training_key``, ``candidate``, ``dataset`` (``name``,
                ``version``, ``digest``) and ``gate`` (``promoted``, ``reasons``).

        Returns:
            The new version, or the one with the same ``training_key`` if there is one: nothing is written then.

        Raises:
            ValueError: a fact is missing.
            ModelFolderError: the folder cannot be served.
            StorageError: the storage cannot be written; nothing of the version is to be seen then.

        """
        missing = [name for name in REQUIRED if name not in facts and name != "files"]
        if missing:
            raise ValueError(f"facts of a model must name {', '.join(missing)}")
        require_servable(files_folder)
        with only_publisher(self.root):
            if known := self._trained_as(facts["training_key"]):
                return known
            version = self._next_version()
            write_version(f"{self.root}/v{version}", files_folder, documents, self._manifest(version, facts))
            return self._read(version)

    def promote(self, version: int, *, reason: str, by: str, force: bool = False, expected: Expected = "any") -> Model:
        """Put a version into production, at once. Promoting what is there already changes nothing.

        Args:
            version: of a model that is whole.
            reason: why, for who looks later.
            by: who, such as ``gate`` or ``cli:ann``.
            force: also where the gate refused it, or where its dataset was revoked.
            expected: only if the pointer is still this one, as ``production_pointer`` returned it, with no move
                since; ``any``: whatever it is.

        Raises:
            UnknownModelError: there is no such version.
            ProductionMovedError: the pointer is not the expected one any more; it stays as it is.
            PromotionRefusedError: it is damaged, its weights were removed, or ``force`` is needed.
            StorageError: the storage cannot be written; production is untouched.

        """
        with only_publisher(self.root):
            model = self.look_up(version)
            refuse_once = cache(lambda: refuse_unfit(model, force=force))

            def promoted(now: Production) -> Production:
                if now.version == version:
                    return now
                refuse_unexpected(version, expected, now)
                refuse_once()
                return now.promoted(version, reason=reason, by=by)

            move_production(self.pointer, promoted)
        return model

    def rollback(self, *, reason: str, by: str, to_base: bool = False, force: bool = False) -> Model | None:
        """Take the last promotion back that still holds; again takes back the one before.

        Args:
            reason: why, for who looks later.
            by: who.
            to_base: go back to no model at all, the retriever's own order, whatever was before.
            force: also where the dataset of the model that comes back was revoked.

        Returns:
            The model in production now; None: the retriever's own order.

        Raises:
            NothingToRollBackToError: nothing was promoted, or all was taken back.
            UnknownModelError, PromotionRefusedError: the model that was in production before is gone, damaged or
                pruned, or ``force`` is needed.
            StorageError: the storage cannot be written; production is untouched.

        """

        def rolled_back(now: Production) -> Production:
            before = now.before
            if to_base:
                return now.promoted(None, reason=reason, by=by)
            if before is not None:
                refuse_unfit(self.look_up(before), force=force, gate_counts=False)
            return now.rolled_back(reason=reason, by=by)

        with only_publisher(self.root):
            version = move_production(self.pointer, rolled_back).version
            return None if version is None else self.look_up(version)

    def prune(self, keep: int) -> list[int]:
        """Remove the weights of old versions; what they were and how good stays. Finishes what a crash has left.

        The newest ``keep`` versions keep theirs, and so do those in production and in production before.

        Returns:
            The versions that lost their weights now.

        Raises:
            ValueError: ``keep`` is less than 1.
            DamagedPointerError: nobody knows what is in production; nothing is removed.
            StorageError: the storage cannot be written.

        """
        if keep < 1:
            raise ValueError(f"keep must be at least 1, not {keep}")
        with only_publisher(self.root):
            wanted = (self.production_pointer() or Production()).to_roll_back_to()
            old = [model for model in self.models() if not model.is_damaged][:-keep]
            going = [model for model in old if model.version not in wanted]
            fresh = [model.version for model in going if not model.pruned]
            for model in going:
                self._prune(model, keep)
        return fresh

    def _prune(self, model: Model, keep: int) -> None:
        """Say it first; the files go then, so nobody finds files missing without a word."""
        if not model.pruned:
            write_json(f"{model.path}/{MANIFEST}", {**model.manifest, "pruned": f"retention, keep {keep}"})
        fs, inner = uncached(f"{model.path}/{FOLDER}")
        try:
            if fs.exists(inner):
                fs.rm(inner, recursive=True)
        except OSError as error:
            raise StorageError(
                f"cannot remove {model.path}/{FOLDER}: {error.strerror or error}; make it writable, then run again"
            ) from error

    def _trained_as(self, training_key: str) -> Model | None:
        found = (model for model in self.models() if model.manifest.get("training_key") == training_key)
        return next((model for model in found if not model.is_damaged), None)

    def _next_version(self) -> int:
        """Return a number that was never used, even where folders have been deleted since."""
        history = (self.production_pointer() or Production()).history
        return max([*self.versions(), *(move.version or 0 for move in history)], default=0) + 1

    def _manifest(self, version: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        pointer = self.production_pointer() or Production()
        known = {"code_version": __version__, "git_revision": None, "parent": pointer.version}
        stated = {"format": FORMAT, "name": NAME, "version": version}
        return {"added_at": datetime.now(UTC).isoformat(timespec="seconds"), **known, **facts, **stated}

    def _read(self, version: int) -> Model:
        path = f"{self.root}/v{version}"
        try:
            manifest = read_json(f"{path}/{MANIFEST}")
        except ValueError:
            manifest = None
        return Model(version, path, manifest if isinstance(manifest, dict) else {})

    def _known(self) -> str:
        versions = ", ".join(f"v{version}" for version in self.versions())
        return f"are {versions}" if versions else "is none yet: 'retrain_reranker' trains the first"


def note_in_store(store: Store, model: Model) -> None:
    """Note in the store what a model was trained on, so that the receipt of an erasure names it. Again is no matter."""
    from feedback_pipeline.store import note_model

    dataset = model.manifest["dataset"]
    note_model(store, model.name, [(dataset["name"], dataset["version"])], f"in {model.path}")
