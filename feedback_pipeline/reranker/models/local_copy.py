"""A model of the registry on a local disk, whole: what ``Reranker`` opens."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from feedback_pipeline.reranker.models.model import FOLDER, Model
from feedback_pipeline.reranker.scoring.folder import ModelFolderError
from feedback_pipeline.tables.files import canonical_bytes, filesystem, sha256

_OWN_FOLDER = "feedback-pipeline-models"
"""Below the cache that somebody names: other things may lie in that."""

_COPY = re.compile(r"[0-9a-f]{32}|\.[0-9a-f]{32}\.\d+-\d+\.tmp")
"""Names of copies, and of copies in the making."""

_KEPT_SECONDS = 7 * 24 * 3600.0
"""Copies that nobody has opened for so long are removed."""


def default_cache() -> Path:
    """Return where copies of models on an object store lie, unless another folder is named."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "feedback-pipeline" / "models"


def local_folder(model: Model, cache: Path | None = None) -> Path:
    """Return the local folder of a model; all that serving reads in it is what the manifest says.

    From an object store it is downloaded once per machine, aside, and appears whole.

    Args:
        model: of the registry.
        cache: downloaded models lie in ``feedback-pipeline-models`` below it; default:
            ``~/.cache/feedback-pipeline/models``.

    Raises:
        ModelFolderError: a file is missing or damaged, or the weights were removed.
        OSError: the storage does not answer, or the cache cannot be written.

    """
    if model.is_damaged or model.pruned:
        raise ModelFolderError(f"{model.path} cannot be served: {model.pruned or 'its manifest is damaged'}")
    served = _served(model)
    fs, inner = filesystem(model.path)
    if isinstance(fs, LocalFileSystem):
        _refuse_damaged(served)
        return Path(inner) / FOLDER
    copies = cache / _OWN_FOLDER if cache else default_cache()
    target = copies / sha256(canonical_bytes([model.path, model.manifest["files"]]))[:32]
    copy = Model(model.version, str(target), served.manifest)
    if next(copy.problems(), None):
        _download(served, target)
        _refuse_damaged(copy)
    os.utime(target)
    return target / FOLDER


def _served(model: Model) -> Model:
    """Return the model with those files alone that serving reads: the weights for torch are as large again."""
    files = [file for file in model.model_files() if "torch" not in file["path"].split("/")]
    return Model(model.version, model.path, {**model.manifest, "files": files})


def _refuse_damaged(model: Model) -> None:
    if problem := next(model.problems(), None):
        raise ModelFolderError(problem)


def _download(model: Model, target: Path) -> None:
    """Fetch the files of a model so that ``target`` is always whole or not there."""
    fs, inner = filesystem(model.path)
    _remove_unused(target.parent)
    aside = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        for file in model.model_files():
            (aside / file["path"]).parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(f"{inner}/{file['path']}", str(aside / file["path"]))
        _refuse_damaged(Model(model.version, str(aside), model.manifest))
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
    except OSError:
        # Another process of this machine may have been quicker; what is there now is looked at.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _remove_unused(copies: Path) -> None:
    for folder in (path for path in copies.glob("*") if _COPY.fullmatch(path.name)):
        try:
            if folder.stat().st_mtime < time.time() - _KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            # Another process has removed it.
            continue
